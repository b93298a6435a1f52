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

/** Calls `sweep` every `intervalMs`, until the result is called. Keeps no process alive. */
export function fairInterval(intervalMs: number, sweep: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const timer = setInterval(() => {
    clearImmediate(immediate);
    immediate = setImmediate(sweep);
  }, intervalMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    clearImmediate(immediate);
  };
}
