/**
 * Timers by which a peer is judged. The event loop runs timers before it reads sockets: after a pause of the
 * process (a busy or suspended machine, a long step) a plain timer finds a peer late whose bytes lie in the kernel.
 * These look only after the sockets were read once more.
 */

/** Calls `late` after `delayMs`, unless the result is called first. */
export function fairTimeout(delayMs: number, late: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    immediate = setImmediate(late);
  }, delayMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}

/**
 * Calls `sweep` every `intervalMs`, until the result is called, with the time (performance.now) at which it was due:
 * the sockets were read since. Keeps no process alive.
 */
export function fairInterval(intervalMs: number, sweep: (nowMs: number) => void): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const timer = setInterval(() => {
    clearImmediate(immediate);
    immediate = setImmediate(sweep, performance.now());
  }, intervalMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    clearImmediate(immediate);
  };
}
