/** What a script's commands print, with nested parts indented; level NONE silences all of it. */
const levels = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"];

export class Output {
  private text = "";
  private level = "DEBUG";

  get quiet(): boolean {
    return this.level === "NONE";
  }

  write(text: string): void {
    if (!this.quiet) this.text += text;
  }

  /** What was written since the last call. */
  take(): string {
    const { text } = this;
    this.text = "";
    return text;
  }

  /** Runs `part` and indents what it prints. */
  indented(part: () => void): void {
    const before = this.take();
    part();
    const lines = this.take().split("\n");
    if (lines.at(-1) === "") lines.pop();
    this.text = before + lines.map((line) => `  ${line}\n`).join("");
  }

  /** The level before; undefined when there is none of this name. */
  setLevel(name: string): string | undefined {
    const level = name.toUpperCase();
    if (!levels.includes(level)) return undefined;
    const previous = this.level;
    this.level = level;
    return previous;
  }
}

export const levelsText = `log levels must be either of [${levels.join(" ")}]`;
