import type { Readable } from "node:stream";

/** Lines kept of one stream. A test that makes more than this has said enough. */
const linesKept = 20_000;

interface LineWaiter {
  readonly matches: (line: string) => boolean;
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

/** The lines that a process wrote on one of its streams, and waiting for one to come. */
export class LineLog {
  readonly lines: string[] = [];
  /** True where lines were dropped from the front. */
  truncated = false;
  readonly #waiters = new Set<LineWaiter>();
  #ended = false;
  #partial = "";

  constructor(stream: Readable) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => this.#receive(text));
    stream.once("close", () => this.#end());
  }

  get text(): string {
    return this.lines.join("\n");
  }

  /** The newest lines, for the message of a failure. */
  tail(count: number): string {
    return this.lines.slice(-count).join("\n");
  }

  /** The first line that matches, were it written before the call or after it. Rejects when the stream ends without. */
  waitFor(what: string, matches: (line: string) => boolean): Promise<string> {
    const present = this.lines.find(matches);
    if (present !== undefined) return Promise.resolve(present);
    const missing = (): Error => new Error(`the process ended without ${what}:\n${this.tail(40)}`);
    if (this.#ended) return Promise.reject(missing());
    return new Promise((resolve, reject) => {
      this.#waiters.add({ matches, resolve, reject: () => reject(missing()) });
    });
  }

  #receive(text: string): void {
    const parts = (this.#partial + text).split("\n");
    this.#partial = parts.pop() ?? "";
    for (const line of parts) this.#append(line);
  }

  #append(line: string): void {
    this.lines.push(line);
    if (this.lines.length > linesKept) {
      this.lines.shift();
      this.truncated = true;
    }
    for (const waiter of this.#waiters) {
      if (!waiter.matches(line)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(line);
    }
  }

  #end(): void {
    if (this.#partial !== "") this.#append(this.#partial);
    this.#partial = "";
    this.#ended = true;
    for (const waiter of this.#waiters) waiter.reject(new Error("ended"));
    this.#waiters.clear();
  }
}
