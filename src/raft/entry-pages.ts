/**
 * Older entries of the log, packed: a member keeps thousands of them for followers that lag, and each as an object
 * with a payload somewhere would cost three times its bytes, and the collector would move every one of them.
 *
 * Payloads stand one after the other in pages of limits.logPageBytes; term, type and end of each stand beside them.
 * The memory of a page that was dropped serves the next one, so what is read is a copy.
 *
 * Example: pages of 8 bytes; payloads "abc", "defg", "hi" make the pages "abcdefg" (ends 3, 7) and "hi" (ends 2).
 * `dropFirst(1)` leaves the first page where it is and counts from its second entry on.
 */
import { assert } from "../base/assert.js";
import type { Index, Term } from "../base/brand.js";
import { allocateBytes, copyBytes, emptyBytes } from "../base/bytes.js";
import { limits } from "../base/limits.js";
import type { Entry, EntryType } from "./types.js";

interface Page {
  /** Position of its first entry, counted from the first that was ever added. */
  readonly first: number;
  readonly terms: Term[];
  readonly types: EntryType[];
  readonly ends: number[];
  readonly bytes: Uint8Array;
}

export class EntryPages {
  private pages: Page[] = [];
  /** Memory of dropped pages. */
  private readonly spare: Uint8Array[] = [];
  /** Positions, counted from the first entry that was ever added. */
  private start = 0;
  private end = 0;

  get length(): number {
    return this.end - this.start;
  }

  /** The term of the entry at a position from 0 to `length` − 1. */
  termAt(position: number): Term {
    const at = this.start + position;
    const page = this.pageOf(at);
    return page.terms[at - page.first]!;
  }

  /** The entry at a position, in memory of its own; `index` is its index. */
  entryAt(position: number, index: Index): Entry {
    const at = this.start + position;
    const page = this.pageOf(at);
    const slot = at - page.first;
    const from = slot === 0 ? 0 : page.ends[slot - 1]!;
    const end = page.ends[slot]!;
    const data = from === end ? emptyBytes : copyBytes(page.bytes.subarray(from, end));
    return { term: page.terms[slot]!, index, type: page.types[slot]!, data };
  }

  push({ term, type, data }: Entry): void {
    let page = this.pages.at(-1);
    let used = page?.ends.at(-1) ?? 0;
    if (page === undefined || used + data.length > page.bytes.length) {
      page = { first: this.end, terms: [], types: [], ends: [], bytes: this.memory(data.length) };
      used = 0;
      this.pages.push(page);
    }
    page.bytes.set(data, used);
    page.terms.push(term);
    page.types.push(type);
    page.ends.push(used + data.length);
    this.end++;
  }

  /** Drops the `count` oldest. */
  dropFirst(count: number): void {
    assert(count <= this.length, "only entries that are here are dropped");
    this.start += count;
    let gone = 0;
    while (gone < this.pages.length && (this.pages[gone + 1]?.first ?? this.end) <= this.start) gone++;
    for (const page of this.pages.splice(0, gone)) this.release(page);
  }

  /** Keeps the `count` oldest. */
  truncate(count: number): void {
    assert(count <= this.length, "only entries that are here are kept");
    this.end = this.start + count;
    for (let page = this.pages.at(-1); page !== undefined; page = this.pages.at(-1)) {
      const kept = Math.max(0, this.end - page.first);
      page.terms.length = page.types.length = page.ends.length = Math.min(kept, page.ends.length);
      if (kept > 0) return;
      this.release(page);
      this.pages.pop();
    }
  }

  private pageOf(at: number): Page {
    const { pages } = this;
    let low = 0;
    let high = pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (pages[middle]!.first <= at) low = middle;
      else high = middle - 1;
    }
    return pages[low]!;
  }

  private memory(bytesMin: number): Uint8Array {
    if (bytesMin > limits.logPageBytes) return allocateBytes(bytesMin);
    return this.spare.pop() ?? allocateBytes(limits.logPageBytes);
  }

  private release({ bytes }: Page): void {
    if (bytes.length === limits.logPageBytes && this.spare.length < limits.logPagesSpare)
      this.spare.push(bytes);
  }
}
