/**
 * An assertion that stays on in production. A failed assertion is a bug of ours: the process stops, because a
 * store that goes on after its invariants broke can only spread the damage. Bad input is never asserted: it is
 * a `StoreError` (see errors.ts).
 */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws `AssertionError` unless `condition` holds. The message states the invariant, not the symptom. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new AssertionError(invariant);
}

/** Marks a place that an exhaustive switch can not reach; the compiler proves it by the `never`. */
export function unreachable(value: never, what: string): never {
  throw new AssertionError(`unreachable ${what}: ${String(value)}`);
}

/** Asserts that `value` is a non-negative safe integer and returns it. */
export function assertCount(value: number, name: string): number {
  if (!(Number.isSafeInteger(value) && value >= 0)) throw new AssertionError(`${name} is a count: ${value}`);
  return value;
}
