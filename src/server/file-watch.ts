/** Files that are read again when they have changed: certificates are renewed while a member runs. */
import { readFileSync, statSync } from "node:fs";

/** What tells one version of a file from the next, without reading it. */
function stampOf(path: string): string {
  const { mtimeNs, size, ino } = statSync(path, { bigint: true });
  return `${mtimeNs} ${size} ${ino}`;
}

/**
 * What `parse` makes of some files. Looking costs a stat of each, some 10 µs; they are read only when one of them
 * is another than the last time.
 */
export class WatchedFiles<Value> {
  private stamps: string | undefined;
  private value: Value | undefined;

  constructor(
    private readonly paths: readonly string[],
    private readonly parse: (contents: readonly Buffer[]) => Value,
  ) {}

  /** Errors: those of the file system and of `parse`; the next call tries again then. */
  read(): { readonly value: Value; readonly changed: boolean } {
    const stamps = this.paths.map(stampOf).join();
    if (stamps === this.stamps) return { value: this.value as Value, changed: false };
    this.value = this.parse(this.paths.map((path) => readFileSync(path)));
    this.stamps = stamps;
    return { value: this.value, changed: true };
  }
}
