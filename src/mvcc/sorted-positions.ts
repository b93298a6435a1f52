/**
 * Sorting of many keys. They have long beginnings in common, which a comparison of two whole strings goes through each
 * time, far apart in memory. Here what all have in common is passed over, the next six characters make a number, and
 * positions are merge-sorted by these numbers; keys with the same number are a smaller part, to be sorted by the six
 * that follow. So each character is looked at once, whatever the keys.
 *
 * Example with one character to a number: k1, k2, k12 and k all begin with "k". Behind it they have 1, 2, 1 and nothing:
 * so k comes first, then k1 and k12, then k2. The part of k1 and k12 is sorted by what follows "k1".
 */

const wordCharacters = 6;
/** A byte, or the end of the key below all bytes. 257^6 is an exact number. */
const wordBase = 257;
/** As few as this are sorted by insertion. */
const fewKeys = 12;

export interface SortedKeys {
  /** Of the keys, in ascending order of these; the positions of equal keys ascend themselves. */
  readonly positions: Uint32Array;
  /** By the same order: 1 where the key is the same as the one before it. Keys lie all over the heap, so nobody looks again. */
  readonly repeats: Uint8Array;
}

/** Sorts `keys` (latin1). */
export function sortKeys(keys: readonly string[]): SortedKeys {
  return new KeySorting(keys).sort();
}

/** Keys, by the places of their positions, that agree in their first `depth` characters. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly depth: number;
}

class KeySorting {
  private readonly positions: Uint32Array;
  private readonly repeats: Uint8Array;
  /** Of the key of each position, from the depth of its part on. */
  private readonly words: Float64Array;
  /** For merging. */
  private readonly otherPositions: Uint32Array;
  private readonly otherWords: Float64Array;

  constructor(private readonly keys: readonly string[]) {
    this.positions = new Uint32Array(keys.length);
    for (let at = 0; at < keys.length; at++) this.positions[at] = at;
    this.repeats = new Uint8Array(keys.length);
    this.words = new Float64Array(keys.length);
    this.otherPositions = new Uint32Array(keys.length);
    this.otherWords = new Float64Array(keys.length);
  }

  sort(): SortedKeys {
    const { keys, positions, repeats, words } = this;
    // A list and no recursion: keys may agree in a million characters.
    const parts: Part[] = [{ start: 0, end: keys.length, depth: agreement(keys) }];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const { start, end, depth } = part;
      for (let at = start; at < end; at++) words[at] = wordOf(keys[positions[at]!]!, depth);
      this.sortByWords(start, end);
      for (let from = start, to: number; from < end; from = to) {
        const word = words[from]!;
        for (to = from + 1; to < end && words[to] === word; ) to++;
        if (to === from + 1) continue;
        // A word whose last digit says that the key ended stands for one key only.
        if (word % wordBase === 0) repeats.fill(1, from + 1, to);
        else parts.push({ start: from, end: to, depth: depth + wordCharacters });
      }
    }
    return { positions, repeats };
  }

  private sortByWords(start: number, end: number): void {
    if (end - start <= fewKeys) {
      this.insertionSort(start, end);
      return;
    }
    const middle = (start + end) >>> 1;
    this.sortByWords(start, middle);
    this.sortByWords(middle, end);
    if (this.words[middle - 1]! > this.words[middle]!) this.merge(start, middle, end);
  }

  private merge(start: number, middle: number, end: number): void {
    const { positions, words, otherPositions, otherWords } = this;
    for (let at = start; at < middle; at++) {
      otherPositions[at] = positions[at]!;
      otherWords[at] = words[at]!;
    }
    let right = middle;
    let to = start;
    for (let left = start; left < middle; to++) {
      if (right < end && words[right]! < otherWords[left]!) {
        positions[to] = positions[right]!;
        words[to] = words[right++]!;
      } else {
        positions[to] = otherPositions[left]!;
        words[to] = otherWords[left++]!;
      }
    }
  }

  private insertionSort(start: number, end: number): void {
    const { positions, words } = this;
    for (let at = start + 1; at < end; at++) {
      const word = words[at]!;
      const position = positions[at]!;
      let to = at;
      for (; to > start && words[to - 1]! > word; to--) {
        words[to] = words[to - 1]!;
        positions[to] = positions[to - 1]!;
      }
      words[to] = word;
      positions[to] = position;
    }
  }
}

/** In how many characters all keys agree. */
function agreement(keys: readonly string[]): number {
  let common = keys[0] ?? "";
  for (const key of keys) {
    if (key.startsWith(common)) continue;
    let agreed = 0;
    while (key.charCodeAt(agreed) === common.charCodeAt(agreed)) agreed++;
    common = common.slice(0, agreed);
  }
  return common.length;
}

/** The six characters from `depth` on as a number that sorts as they do. */
function wordOf(key: string, depth: number): number {
  let word = 0;
  for (let at = depth; at < depth + wordCharacters; at++) {
    word = word * wordBase + (at < key.length ? key.charCodeAt(at) + 1 : 0);
  }
  return word;
}
