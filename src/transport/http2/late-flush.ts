/**
 * Answers to pings that wait a moment for company. A gRPC client measures its bandwidth with a ping for nearly every
 * answer it reads; answered at once, each would cost a write of its own, as much as all answers of a turn together.
 * Under load an answer leaves soon, and the ping's goes with it. One that found no company leaves when there is nothing
 * else to do: such writes, one for each connection, would stand before the requests of the next burst.
 *
 * Every `limits.lateFlushMs` those that wait are looked at, after what had arrived by then was read. No answer to a ping
 * waits for more than `limits.lateFlushLooksMax` looks. One timer serves all connections.
 */
import { limits } from "../../base/limits.js";

export interface LateFlushable {
  /** Writes what waits, unless something that is about to leave takes it along; false: it wants to be asked again. */
  flushLate(busy: boolean): boolean;
}

let waiting: LateFlushable[] = [];
let arrivals = 0;

/** Has `connection` flushed soon. To be called once until `flushLate` has returned true. */
export function flushSoon(connection: LateFlushable): void {
  if (waiting.push(connection) === 1) setTimeout(look, limits.lateFlushMs);
}

/** Some connection received something. */
export function noteArrival(): void {
  arrivals++;
}

function look(): void {
  setImmediate(flushAll, arrivals);
}

function flushAll(arrivalsBefore: number): void {
  const busy = arrivals !== arrivalsBefore;
  const looked = waiting;
  waiting = looked.filter((connection) => !connection.flushLate(busy));
  if (waiting.length > 0) setTimeout(look, limits.lateFlushMs);
}
