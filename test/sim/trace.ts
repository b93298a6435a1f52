/**
 * What happened, as a hash over everything (two runs of a seed must agree in it) and as text: the last lines are
 * kept always where that is cheap, all of them when a run is told to be talkative.
 */
import { crc32c } from "../../src/base/crc32c.js";

const keptLines = 400;

export class Trace {
  private digest = 0x811c_9dc5;
  private lines: string[] = [];

  constructor(private readonly options: { readonly talkative: boolean; readonly now: () => number }) {}

  get hash(): number {
    return this.digest >>> 0;
  }

  /** True where text is wanted: check it before text is made that costs something. */
  get talkative(): boolean {
    return this.options.talkative;
  }

  /** Mixes numbers into the hash. */
  note(a: number, b: number): void {
    this.digest = Math.imul(this.digest ^ (a | 0), 0x0100_0193);
    this.digest = Math.imul(this.digest ^ (b | 0) ^ (this.digest >>> 15), 0x85eb_ca6b);
  }

  bytes(bytes: Uint8Array): void {
    this.note(crc32c(bytes), bytes.length);
  }

  /** An event of note: crashes, elections, faults. */
  say(text: string): void {
    for (let at = 0; at < text.length; at++)
      this.digest = Math.imul(this.digest ^ text.charCodeAt(at), 0x0100_0193);
    this.add(text);
  }

  /** Ordinary traffic; only where talkative. */
  whisper(text: string): void {
    if (this.options.talkative) this.add(text);
  }

  /** The last lines, with the time in seconds. */
  last(count: number): readonly string[] {
    return this.lines.slice(-count);
  }

  private add(text: string): void {
    const { now, talkative } = this.options;
    this.lines.push(`${(now() / 1e6).toFixed(6).padStart(10)} ${text}`);
    if (this.lines.length > 2 * keptLines && !talkative) this.lines = this.lines.slice(-keptLines);
  }
}
