/**
 * Answers to pings that wait a moment for company. A gRPC client measures its bandwidth with a ping for nearly every
 * answer it reads; answered at once, each would cost a write of its own, as much as all answers of a turn together.
 * Under load an answer leaves soon, and the ping's goes with it. Later than `limits.lateFlushMs` none goes; one timer
 * serves all connections.
 */
import { limits } from "../../base/limits.js";

export interface LateFlushable {
  /** Writes what waits, if something still does. */
  flushLate(): void;
}

let waiting: LateFlushable[] = [];

/** Has `connection` flushed in `limits.lateFlushMs` at the latest. To be called once until that has happened. */
export function flushSoon(connection: LateFlushable): void {
  if (waiting.push(connection) === 1) setTimeout(flushAll, limits.lateFlushMs);
}

function flushAll(): void {
  const due = waiting;
  waiting = [];
  for (const connection of due) connection.flushLate();
}
