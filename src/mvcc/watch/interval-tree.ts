/**
 * Half-open intervals of keys, found by a key that they contain: a treap ordered by start and end (Seidel and
 * Aragon 1996), where each node knows how far the intervals below it reach. With n intervals of which k contain
 * the key a look-up takes about k log n steps, and log n when none does.
 *
 * Example: of [a,c) [b,z) [x,y) the tree rooted at [b,z) reaches to z. The key m goes left: [a,c) reaches to c
 * only, so nothing there is looked at; [b,z) contains it; to the right [x,y) starts behind it.
 */
import { assert } from "../../base/assert.js";
import { type Random, seededRandom } from "../../base/prng.js";

/** Undefined: without end. */
type End = string | undefined;

class Node<Value> {
  left: Node<Value> | undefined;
  right: Node<Value> | undefined;
  /** The furthest end in this subtree. */
  reach: End;

  constructor(
    readonly start: string,
    readonly end: End,
    readonly value: Value,
    readonly priority: number,
  ) {
    this.reach = end;
  }
}

export class IntervalTree<Value> {
  private root: Node<Value> | undefined;
  private count = 0;
  /** Balance alone hangs on it, so the seed is of no interest. */
  private readonly random: Random = seededRandom(1);

  get size(): number {
    return this.count;
  }

  /** The value of exactly this interval. */
  get(start: string, end: End): Value | undefined {
    let node = this.root;
    while (node !== undefined) {
      const order = compare(start, end, node);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** The interval is not in the tree yet. */
  add(start: string, end: End, value: Value): void {
    const node = new Node(start, end, value, this.random.below(0x1_0000_0000));
    this.root = insert(this.root, node);
    this.count++;
  }

  /** The interval is in the tree. */
  remove(start: string, end: End): void {
    this.root = remove(this.root, start, end);
    this.count--;
  }

  /** Visits the values of all intervals that contain `key`, by start. */
  containing(key: string, visit: (value: Value) => void): void {
    if (this.root !== undefined) visitContaining(this.root, key, visit);
  }
}

function visitContaining<Value>(node: Node<Value>, key: string, visit: (value: Value) => void): void {
  if (!isBehind(node.reach, key)) return;
  if (node.left !== undefined) visitContaining(node.left, key, visit);
  if (node.start > key) return;
  if (isBehind(node.end, key)) visit(node.value);
  if (node.right !== undefined) visitContaining(node.right, key, visit);
}

function isBehind(end: End, key: string): boolean {
  return end === undefined || end > key;
}

function compare<Value>(start: string, end: End, node: Node<Value>): number {
  if (start !== node.start) return start < node.start ? -1 : 1;
  if (end === node.end) return 0;
  if (end === undefined) return 1;
  return node.end === undefined || end < node.end ? -1 : 1;
}

function insert<Value>(tree: Node<Value> | undefined, fresh: Node<Value>): Node<Value> {
  if (tree === undefined) return fresh;
  const order = compare(fresh.start, fresh.end, tree);
  assert(order !== 0, "an interval is in the tree once");
  if (fresh.priority > tree.priority) {
    [fresh.left, fresh.right] = split(tree, fresh);
    return measured(fresh);
  }
  if (order < 0) tree.left = insert(tree.left, fresh);
  else tree.right = insert(tree.right, fresh);
  return measured(tree);
}

/** What stands before and behind the interval of `at`. */
function split<Value>(
  tree: Node<Value> | undefined,
  at: Node<Value>,
): [Node<Value> | undefined, Node<Value> | undefined] {
  if (tree === undefined) return [undefined, undefined];
  if (compare(at.start, at.end, tree) < 0) {
    const [before, behind] = split(tree.left, at);
    tree.left = behind;
    return [before, measured(tree)];
  }
  const [before, behind] = split(tree.right, at);
  tree.right = before;
  return [measured(tree), behind];
}

function remove<Value>(tree: Node<Value> | undefined, start: string, end: End): Node<Value> | undefined {
  assert(tree !== undefined, "an interval that is removed is in the tree");
  const order = compare(start, end, tree);
  if (order === 0) return join(tree.left, tree.right);
  if (order < 0) tree.left = remove(tree.left, start, end);
  else tree.right = remove(tree.right, start, end);
  return measured(tree);
}

/** One tree of two, of which the first stands before the second. */
function join<Value>(
  before: Node<Value> | undefined,
  behind: Node<Value> | undefined,
): Node<Value> | undefined {
  if (before === undefined) return behind;
  if (behind === undefined) return before;
  if (before.priority > behind.priority) {
    before.right = join(before.right, behind);
    return measured(before);
  }
  behind.left = join(before, behind.left);
  return measured(behind);
}

function measured<Value>(node: Node<Value>): Node<Value> {
  let reach = node.end;
  if (node.left !== undefined) reach = further(reach, node.left.reach);
  if (node.right !== undefined) reach = further(reach, node.right.reach);
  node.reach = reach;
  return node;
}

function further(a: End, b: End): End {
  if (a === undefined || b === undefined) return undefined;
  return a > b ? a : b;
}
