/** A bound for whatever is awaited: a test that waits forever says nothing. */

/** Rejects with `what` when the promise takes longer. */
export async function within<Value>(
  timeoutMs: number,
  what: string,
  promise: Promise<Value>,
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** For `count` operations on a machine that does other work too: a minute without any is a standstill. */
export function patienceMs(count: number): number {
  return 60_000 + 20 * count;
}
