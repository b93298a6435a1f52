/** Standard input, whole or line by line. */

export async function readAll(stdin: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stdin) parts.push(part);
  return Buffer.concat(parts);
}

const lineFeed = 0x0a;

/** Reads lines as they come, so that a person can type them. */
export class LineReader {
  private rest: Uint8Array = new Uint8Array(0);
  private readonly parts: AsyncIterator<Uint8Array>;

  constructor(stdin: AsyncIterable<Uint8Array>) {
    this.parts = stdin[Symbol.asyncIterator]();
  }

  /** The next line without its end, as latin1: one character a byte; undefined where the input ended before one did. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const end = this.rest.indexOf(lineFeed);
      if (end >= 0) {
        const line = Buffer.from(this.rest.subarray(0, end)).toString("latin1");
        this.rest = this.rest.subarray(end + 1);
        return line;
      }
      const part = await this.parts.next();
      if (part.done === true) return undefined;
      this.rest = Buffer.concat([this.rest, part.value]);
    }
  }

  /** Lets go of the input. */
  async close(): Promise<void> {
    await this.parts.return?.();
  }
}
