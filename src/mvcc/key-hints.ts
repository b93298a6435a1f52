/**
 * Where keys in use lie in the key tree: a hash table of guesses, each checked before it is believed, so that nothing has
 * to be told when keys move. A descent of the tree looks at a dozen strings all over the heap, each a wait for memory; a
 * guess that holds looks at one.
 *
 * What is held of a key is its hash and its place, the number of its leaf and its slot there. A leaf that was split,
 * joined or inserted into makes guesses wrong; these keys are sought in the tree once more, and learned again. A number
 * that a leaf gave back may be another leaf's by then: the key at the place is what decides.
 */
import { assert } from "../base/assert.js";
import { limits } from "../base/limits.js";
import { type KeyLeaf, leafKeysMax } from "./key-leaf.js";

/** Guesses for one hash lie side by side, in half of what a processor fetches at once; the oldest one gives way. */
const ways = 4;
/** Numbers of a guess: hash, and place + 1 (0: none). */
const guessSize = 2;
const setSize = ways * guessSize;
const firstGuesses = 1024;
/** Hashing a longer key takes as long as seeking it. */
const keyCharactersMax = 128;

export class KeyHints {
  /** The leaf and slot of the last `find` that answered true. */
  leaf: KeyLeaf | undefined;
  slot = 0;
  private guesses = new Uint32Array(firstGuesses * guessSize);
  /** The leaves of the tree, by number. */
  private readonly leaves: (KeyLeaf | undefined)[] = [];
  private readonly freeNumbers: number[] = [];
  private hash = 0;

  /** A leaf that is in the tree from here on. */
  enter(leaf: KeyLeaf): void {
    leaf.number = this.freeNumbers.pop() ?? this.leaves.length;
    assert((leaf.number + 1) * leafKeysMax < 2 ** 32, "a place is a number of 32 bits");
    this.leaves[leaf.number] = leaf;
  }

  /** A leaf that is not in the tree any more. */
  leave(leaf: KeyLeaf): void {
    assert(this.leaves[leaf.number] === leaf, "a leaf gives its number back once");
    this.leaves[leaf.number] = undefined;
    this.freeNumbers.push(leaf.number);
  }

  /** Sets `leaf` and `slot`, where it is known in which `key` lies. False says nothing. */
  find(key: string): boolean {
    if (key.length > keyCharactersMax) return false;
    const hash = hashOf(key);
    this.hash = hash;
    const { guesses } = this;
    const start = this.setOf(hash);
    for (let at = start; at < start + setSize; at += guessSize) {
      if (guesses[at] === hash && this.holds(guesses[at + 1]! - 1, key)) return true;
    }
    return false;
  }

  /** Remembers where `key` lies, for which `find` just answered false. `keyCount`: all keys of the tree, about. */
  learn(key: string, leaf: KeyLeaf, slot: number, keyCount: number): void {
    if (key.length > keyCharactersMax) return;
    const held = this.guesses.length / guessSize;
    // Twice the keys, so that few sets have more than they hold. What was learned is forgotten, and soon learned again.
    if (keyCount * 2 > held && held < limits.keyHintsMax)
      this.guesses = new Uint32Array(held * 2 * guessSize);
    const { guesses, hash } = this;
    const start = this.setOf(hash);
    let at = start;
    // A guess that did not hold is overwritten; otherwise the oldest goes.
    while (at < start + setSize - guessSize && guesses[at] !== hash) at += guessSize;
    guesses.copyWithin(start + guessSize, start, at);
    guesses[start] = hash;
    guesses[start + 1] = leaf.number * leafKeysMax + slot + 1;
  }

  private setOf(hash: number): number {
    // The number of sets is a power of two.
    return (hash & (this.guesses.length / setSize - 1)) * setSize;
  }

  private holds(place: number, key: string): boolean {
    if (place < 0) return false;
    const leaf = this.leaves[Math.floor(place / leafKeysMax)];
    const slot = place % leafKeysMax;
    if (leaf === undefined || slot >= leaf.size || leaf.keys[slot] !== key) return false;
    this.leaf = leaf;
    this.slot = slot;
    return true;
  }
}

/** FNV-1a, mixed once more, because a set is chosen by the low bits. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
