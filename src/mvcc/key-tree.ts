/**
 * A counted B-tree: keys in byte order in leaves that are linked both ways, inner nodes that know how many live
 * keys hang below them. So the count of a range costs two paths and not a walk.
 *
 * Example with leaves of two: root live 4 → [ (a, b) live 2 | (c, d†) live 1 | (e) live 1 ], d being deleted and
 * not yet compacted. count [b, ∞) walks the first leaf from b (1) and adds 1 + 1 of the others without a look.
 *
 * Deleted keys keep their slot until compaction drops it, so nodes only shrink in `prune`; a leaf that became
 * small is joined with its right neighbour under the same parent, an empty one is unhooked.
 */
import { assert } from "../base/assert.js";
import type { Revision } from "../base/brand.js";
import { KeyHints } from "./key-hints.js";
import { cellSize, KeyLeaf, leafKeysMax } from "./key-leaf.js";

const childrenMax = 64;

type Node = KeyBranch | KeyLeaf;

class KeyBranch {
  readonly children: Node[] = [];
  /** No key below children[i] is less than lows[i] (i ≥ 1), none below children[i − 1] reaches it. */
  readonly lows: string[] = [];
  live = 0;
  /** The greatest of the children's (see KeyLeaf). */
  changedMain: Revision = 0;

  /** The child that holds `key` or would. */
  childFor(key: string): number {
    const { lows } = this;
    let low = 1;
    let high = lows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lows[middle]! <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  recount(): void {
    let live = 0;
    for (const child of this.children) live += child.live;
    this.live = live;
  }
}

export class KeyTree {
  /** Where the last `seek` or `find` ended: the leaf and the first slot with a key ≥ the one sought. */
  leaf = new KeyLeaf();
  slot = 0;
  private readonly hints = new KeyHints();
  private root: Node = this.leaf;
  /** Levels of branches above the leaves. */
  private height = 0;
  /** The way of the last `seek`, from the root: branches and the child taken in each. */
  private readonly path: KeyBranch[] = [];
  private readonly taken: number[] = [];
  /** Where that way leads; `find` may be elsewhere. */
  private wayEnd = this.leaf;

  constructor() {
    this.hints.enter(this.leaf);
  }

  /** Keys that exist now. */
  get live(): number {
    return this.root.live;
  }

  /** Without any key, alive or deleted. */
  get isEmpty(): boolean {
    return this.height === 0 && (this.root as KeyLeaf).size === 0;
  }

  /** As `seek`, and several times quicker for a key that was found before. What it found is not to be counted anew. */
  find(key: string): boolean {
    const { hints } = this;
    if (hints.find(key)) {
      this.leaf = hints.leaf!;
      this.slot = hints.slot;
      return true;
    }
    if (!this.seek(key)) return false;
    hints.learn(key, this.leaf, this.slot, this.live);
    return true;
  }

  /** Sets `leaf` and `slot`; true where `key` is there (alive or deleted). */
  seek(key: string): boolean {
    let node = this.root;
    for (let level = 0; level < this.height; level++) {
      const branch = node as KeyBranch;
      const child = branch.childFor(key);
      this.path[level] = branch;
      this.taken[level] = child;
      node = branch.children[child]!;
    }
    const leaf = node as KeyLeaf;
    this.leaf = leaf;
    this.wayEnd = leaf;
    this.slot = leaf.lowerBound(key);
    return this.slot < leaf.size && leaf.keys[this.slot] === key;
  }

  /** The same, quicker where `key` belongs into the leaf of the last `seek`. */
  seekNear(key: string): boolean {
    const { leaf } = this;
    if (leaf !== this.wayEnd) return this.seek(key);
    const { keys, size } = leaf;
    if (size === 0 || key < keys[size - 1]!) {
      if (size === 0 || key < keys[0]!) return this.seek(key);
      this.slot = leaf.lowerBound(key);
      return keys[this.slot] === key;
    }
    const isLast = key === keys[size - 1];
    if (!isLast && leaf.next !== undefined) return this.seek(key);
    this.slot = isLast ? size - 1 : size;
    return isLast;
  }

  /** Inserts `key` where the last `seek` for it ended without finding it; the caller sets the cell. */
  insert(key: string): void {
    assert(this.leaf === this.wayEnd, "a key is inserted where it was sought");
    if (this.leaf.size === leafKeysMax) {
      this.splitLeaf();
      this.seek(key);
    }
    this.leaf.insert(this.slot, key);
  }

  /** Inserts `key`, which is greater than all there are, where the last key was appended or there is none yet. */
  append(key: string): void {
    const { leaf } = this;
    assert(leaf === this.wayEnd && leaf.next === undefined, "keys are appended one after the other");
    this.slot = leaf.size;
    if (leaf.size === leafKeysMax) {
      this.splitLeaf();
      this.seekEnd();
    }
    this.leaf.insert(this.slot, key);
  }

  /** Counts a key that was made (+1) or ended (−1) at `main`, on the way of the last `seek`. */
  changeLive(delta: 1 | -1, main: Revision): void {
    assert(this.leaf === this.wayEnd, "a key is counted on the way to its leaf");
    this.leaf.live += delta;
    this.leaf.changedMain = Math.max(this.leaf.changedMain, main);
    for (let level = 0; level < this.height; level++) {
      const branch = this.path[level]!;
      branch.live += delta;
      branch.changedMain = Math.max(branch.changedMain, main);
    }
  }

  /**
   * How many keys from `start` to before `end` (undefined: no end) exist at `atMain`. Looks into leaves only at
   * the two borders, and where keys were made or ended after `atMain`.
   */
  count(start: string, end: string | undefined, atMain: Revision): number {
    if (end !== undefined && end <= start) return 0;
    return this.countBelow(this.root, this.height, start, end, atMain);
  }

  /** Seeks the live key that `rank` live keys come before; `rank` is below `live`. */
  seekRank(rank: number): void {
    let node = this.root;
    let rest = rank;
    for (let level = 0; level < this.height; level++) {
      const { children } = node as KeyBranch;
      let child = 0;
      while (rest >= children[child]!.live) rest -= children[child++]!.live;
      this.path[level] = node as KeyBranch;
      this.taken[level] = child;
      node = children[child]!;
    }
    const leaf = node as KeyLeaf;
    let slot = 0;
    for (; ; slot++) {
      if (leaf.cells[slot * cellSize + 3] === 0) continue;
      if (rest === 0) break;
      rest--;
    }
    this.leaf = leaf;
    this.wayEnd = leaf;
    this.slot = slot;
  }

  /**
   * Prunes the leaf that holds the first key ≥ `from` (see KeyLeaf.prune). Answers the first key of the next
   * leaf, undefined behind the last.
   */
  pruneLeaf(
    from: string,
    compacted: Revision,
  ): { readonly next: string | undefined; readonly examined: number } {
    this.seek(from);
    const { leaf } = this;
    const examined = leaf.size;
    leaf.prune(compacted);
    const next = leaf.next?.keys[0];
    if (leaf.size === 0) this.unhook();
    else if (leaf.size < examined) this.joinRight();
    return { next, examined };
  }

  /** `start` or `end` undefined: the node does not reach over that border. */
  private countBelow(
    node: Node,
    level: number,
    start: string | undefined,
    end: string | undefined,
    atMain: Revision,
  ): number {
    if (start === undefined && end === undefined && node.changedMain <= atMain) return node.live;
    if (level === 0) return countInLeaf(node as KeyLeaf, start, end, atMain);
    const branch = node as KeyBranch;
    const first = start === undefined ? 0 : branch.childFor(start);
    const last = end === undefined ? branch.children.length - 1 : branch.childFor(end);
    let count = 0;
    for (let child = first; child <= last; child++) {
      count += this.countBelow(
        branch.children[child]!,
        level - 1,
        child === first ? start : undefined,
        child === last ? end : undefined,
        atMain,
      );
    }
    return count;
  }

  /** Sets `leaf` and `slot` behind the last key. */
  private seekEnd(): void {
    let node = this.root;
    for (let level = 0; level < this.height; level++) {
      const branch = node as KeyBranch;
      this.path[level] = branch;
      this.taken[level] = branch.children.length - 1;
      node = branch.children.at(-1)!;
    }
    this.leaf = node as KeyLeaf;
    this.wayEnd = this.leaf;
    this.slot = this.leaf.size;
  }

  private splitLeaf(): void {
    const { leaf } = this;
    const right = new KeyLeaf();
    this.hints.enter(right);
    // Keys that arrive in rising order fill their leaves: nothing will ever come between the old ones.
    const isAppend = leaf.next === undefined && this.slot === leaf.size;
    leaf.moveTail(isAppend ? leaf.size - 1 : leaf.size >>> 1, right);
    right.previous = leaf;
    right.next = leaf.next;
    if (leaf.next !== undefined) leaf.next.previous = right;
    leaf.next = right;
    this.hook(right, right.keys[0]!);
  }

  /** Hangs `right` beside the node at the end of the last seek's way, splitting branches upwards as needed. */
  private hook(right: Node, low: string): void {
    let node: Node = right;
    let nodeLow = low;
    for (let level = this.height - 1; level >= 0; level--) {
      const branch = this.path[level]!;
      const at = this.taken[level]! + 1;
      branch.children.splice(at, 0, node);
      branch.lows.splice(at, 0, nodeLow);
      if (branch.children.length <= childrenMax) return;
      const isAppend = at === branch.children.length - 1;
      const from = isAppend ? branch.children.length - 2 : branch.children.length >>> 1;
      const sibling = new KeyBranch();
      nodeLow = branch.lows[from]!;
      sibling.children.push(...branch.children.splice(from));
      sibling.lows.push(...branch.lows.splice(from));
      sibling.changedMain = branch.changedMain;
      branch.recount();
      sibling.recount();
      node = sibling;
    }
    const root = new KeyBranch();
    root.children.push(this.root, node);
    root.lows.push("", nodeLow);
    root.changedMain = Math.max(this.root.changedMain, node.changedMain);
    root.recount();
    this.root = root;
    this.height++;
  }

  /** Takes the empty leaf of the last `seek` out. */
  private unhook(): void {
    if (this.height === 0) return;
    const { leaf } = this;
    if (leaf.previous !== undefined) leaf.previous.next = leaf.next;
    if (leaf.next !== undefined) leaf.next.previous = leaf.previous;
    let level = this.height - 1;
    while (level > 0 && this.path[level]!.children.length === 1) level--;
    assert(
      this.path[level]!.children.length > 1,
      "the root of a tree with branches has two children or more",
    );
    this.hints.leave(leaf);
    this.removeChild(this.path[level]!, this.taken[level]!);
    this.lowerRoot();
  }

  /** Joins the leaf of the last `seek` with its right neighbour where both fit well into one. */
  private joinRight(): void {
    if (this.height === 0) return;
    const { leaf } = this;
    const parent = this.path[this.height - 1]!;
    const at = this.taken[this.height - 1]! + 1;
    const right = parent.children[at] as KeyLeaf | undefined;
    if (right === undefined || leaf.size + right.size > leafKeysMax * 0.75) return;
    leaf.absorb(right);
    this.hints.leave(right);
    leaf.next = right.next;
    if (right.next !== undefined) right.next.previous = leaf;
    this.removeChild(parent, at);
    this.lowerRoot();
  }

  private removeChild(branch: KeyBranch, at: number): void {
    branch.children.splice(at, 1);
    branch.lows.splice(at, 1);
    branch.recount();
  }

  private lowerRoot(): void {
    while (this.height > 0 && (this.root as KeyBranch).children.length === 1) {
      this.root = (this.root as KeyBranch).children[0]!;
      this.height--;
    }
  }
}

function countInLeaf(
  leaf: KeyLeaf,
  start: string | undefined,
  end: string | undefined,
  atMain: Revision,
): number {
  const first = start === undefined ? 0 : leaf.lowerBound(start);
  const last = end === undefined ? leaf.size : leaf.lowerBound(end);
  let count = 0;
  for (let slot = first; slot < last; slot++) if (leaf.isLiveAt(slot, atMain)) count++;
  return count;
}
