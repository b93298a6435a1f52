/**
 * Were these answers linearizable? Deciding that for any object takes exponential time. Here it takes one pass,
 * because every answer names its place in the order: the revision.
 *
 * The history as the store keeps it (`truth`: what each revision changed) is the claimed order. It is checked that
 * 1. each revision is the effect of one operation that was asked for, each operation has at most one revision, and
 *    an acknowledged one has the revision that its answer named;
 * 2. each read shows what the truth holds at the revision of its answer, and each comparison came out as it
 *    does on the state that it was made on;
 * 3. the order respects real time: an operation that began after another was answered does not come before it.
 *    A write comes at its own revision; a read behind the write of the revision that it names.
 *
 * Example: put a=1 is answered at revision 5, then a get begins and names revision 4. Rule 3 is broken: stale read.
 */

/** What one operation wanted. Values are unique: they tell the writer. */
export type Action =
  | { readonly kind: "put"; readonly key: string; readonly value: string }
  | { readonly kind: "delete"; readonly key: string }
  | { readonly kind: "get"; readonly key: string }
  /** Puts `value` if the key has `expected` (undefined: does not exist); else reads it. */
  | {
      readonly kind: "swap";
      readonly key: string;
      readonly expected: string | undefined;
      readonly value: string;
    };

export interface Answer {
  readonly revision: number;
  /** For a delete: whether there was something; for a swap: whether it succeeded. */
  readonly took: boolean;
  /** For a get and for a swap that did not succeed: what is there. */
  readonly seen: string | undefined;
}

export interface Operation {
  readonly action: Action;
  /** On one clock for all clients. */
  readonly startedMs: number;
  readonly endedMs: number;
  /** Undefined: nobody knows whether it happened. */
  readonly answer: Answer | undefined;
}

/** One revision: `value` undefined is a deletion. */
export interface Change {
  readonly revision: number;
  readonly key: string;
  readonly value: string | undefined;
}

export interface Verdict {
  /** In words, the first few; empty where the history is linearizable. */
  readonly violations: readonly string[];
  /** Operations of which nobody knew whether they happened, and which did. */
  readonly unknownThatHappened: number;
}

const violationsMax = 10;

/** An operation at its place in the order. */
interface Placed {
  readonly operation: Operation;
  readonly revision: number;
  readonly writes: boolean;
}

/** `truth` has every revision after `base`, in order; `base` is the revision of the empty store. */
export function checkLinearizable(
  operations: readonly Operation[],
  truth: readonly Change[],
  base: number,
): Verdict {
  const violations: string[] = [];
  const say = (text: string): void => {
    if (violations.length < violationsMax) violations.push(text);
  };
  truth.forEach((change, at) => {
    if (change.revision !== base + 1 + at) say(`revision ${base + 1 + at} is missing from the history`);
  });
  const past = new Past(truth);
  const placed: Placed[] = [];
  const claimed = claimAnswered(operations, truth, base, { placed, say });
  const unknownThatHappened = claimUnknown(operations, truth, claimed, { placed, say });
  for (const operation of operations) checkSeen(operation, past, say);
  checkRealTime(placed, say);
  return { violations, unknownThatHappened };
}

interface Findings {
  readonly placed: Placed[];
  readonly say: (text: string) => void;
}

/** Puts the acknowledged operations in their places; gives the revisions that have an owner. */
function claimAnswered(
  operations: readonly Operation[],
  truth: readonly Change[],
  base: number,
  { placed, say }: Findings,
): Map<number, Operation> {
  const claimed = new Map<number, Operation>();
  for (const operation of operations) {
    const { action, answer } = operation;
    if (answer === undefined) continue;
    const { revision } = answer;
    const writes = changes(action, answer);
    placed.push({ operation, revision, writes });
    if (!writes) continue;
    const change = truth[revision - base - 1];
    if (change === undefined || !isEffect(action, change)) {
      say(`${describe(operation)} is not what revision ${revision} holds: ${JSON.stringify(change)}`);
    }
    if (claimed.has(revision)) say(`revision ${revision} was acknowledged twice`);
    claimed.set(revision, operation);
  }
  return claimed;
}

/** Finds the owners of the other revisions among the operations that were not answered. */
function claimUnknown(
  operations: readonly Operation[],
  truth: readonly Change[],
  claimed: ReadonlyMap<number, Operation>,
  { placed, say }: Findings,
): number {
  const byValue = new Map<string, Operation>();
  const deletes = new Map<string, Operation[]>();
  for (const operation of operations) {
    const { action, answer } = operation;
    if (answer !== undefined) continue;
    if (action.kind === "put" || action.kind === "swap") byValue.set(action.value, operation);
    else if (action.kind === "delete") {
      const waiting = deletes.get(action.key) ?? [];
      waiting.push(operation);
      deletes.set(action.key, waiting);
    }
  }
  let happened = 0;
  for (const { revision, key, value } of truth) {
    if (claimed.has(revision)) continue;
    happened++;
    // Which of the deletes of a key it was can not be told; the earliest is the most lenient choice.
    const operation = value === undefined ? deletes.get(key)?.shift() : byValue.get(value);
    if (value !== undefined) byValue.delete(value);
    if (operation === undefined || operation.action.key !== key) {
      say(`revision ${revision} (${key} = ${value}) is nobody's, or was done twice`);
    } else {
      placed.push({ operation: { ...operation, endedMs: Number.POSITIVE_INFINITY }, revision, writes: true });
    }
  }
  return happened;
}

function checkSeen(operation: Operation, past: Past, say: (text: string) => void): void {
  const { action, answer } = operation;
  if (answer === undefined) return;
  const { revision, took, seen } = answer;
  switch (action.kind) {
    case "put":
      return;
    case "get":
      if (seen !== past.at(action.key, revision))
        say(`${describe(operation)} saw ${seen}, at that revision it was ${past.at(action.key, revision)}`);
      return;
    case "delete":
      if (!took && past.at(action.key, revision) !== undefined)
        say(`${describe(operation)} found nothing, but it was there`);
      return;
    case "swap": {
      const before = past.at(action.key, took ? revision - 1 : revision);
      if (took !== (before === action.expected))
        say(`${describe(operation)} ${took ? "succeeded" : "failed"} where the key was ${before}`);
      if (!took && seen !== before) say(`${describe(operation)} saw ${seen}, it was ${before}`);
      return;
    }
  }
}

/** Who begins after others were answered stands behind all of them in the order. */
function checkRealTime(placed: readonly Placed[], say: (text: string) => void): void {
  const begins = [...placed].sort((a, b) => a.operation.startedMs - b.operation.startedMs);
  const ends = [...placed].sort((a, b) => a.operation.endedMs - b.operation.endedMs);
  let newest: Placed | undefined;
  let at = 0;
  for (const next of begins) {
    while (at < ends.length && ends[at]!.operation.endedMs < next.operation.startedMs) {
      const ended = ends[at++]!;
      if (newest === undefined || ended.revision > newest.revision) newest = ended;
    }
    if (newest === undefined) continue;
    const least = next.writes ? newest.revision + 1 : newest.revision;
    if (next.revision < least) {
      say(
        `${describe(next.operation)} stands at revision ${next.revision}, but ${describe(newest.operation)} ` +
          `at ${newest.revision} was answered before it began`,
      );
    }
  }
}

function changes(action: Action, answer: Answer): boolean {
  return action.kind === "put" || (action.kind !== "get" && answer.took);
}

function isEffect(action: Action, change: Change): boolean {
  if (action.kind === "get" || action.key !== change.key) return false;
  return action.kind === "delete" ? change.value === undefined : change.value === action.value;
}

function describe({ action, startedMs, endedMs }: Operation): string {
  const value = action.kind === "put" || action.kind === "swap" ? `=${action.value}` : "";
  return `${action.kind} ${action.key}${value} (${startedMs.toFixed(1)} to ${endedMs.toFixed(1)} ms)`;
}

/** The value of a key at any revision. */
class Past {
  private readonly versions = new Map<string, Change[]>();

  constructor(truth: readonly Change[]) {
    for (const change of truth) {
      const versions = this.versions.get(change.key);
      if (versions === undefined) this.versions.set(change.key, [change]);
      else versions.push(change);
    }
  }

  at(key: string, revision: number): string | undefined {
    const versions = this.versions.get(key) ?? [];
    let low = 0;
    let high = versions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (versions[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return versions[low - 1]?.value;
  }
}
