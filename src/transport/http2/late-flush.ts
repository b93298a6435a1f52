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
  /**
   * Writes what waits ("written"), unless something that is about to leave takes it along ("waits": it wants to be
   * looked at again) or took it already ("nothing").
   */
  flushLate(busy: boolean): "written" | "waits" | "nothing";
}

let waiting: LateFlushable[] = [];
let scheduled = false;
let arrivals = 0;

/** Has `connection` flushed soon. To be called once until it was found to wait no longer. */
export function flushSoon(connection: LateFlushable): void {
  waiting.push(connection);
  schedule();
}

/** Some connection received something. */
export function noteArrival(): void {
  arrivals++;
}

function schedule(): void {
  if (scheduled || waiting.length === 0) return;
  scheduled = true;
  setTimeout(look, limits.lateFlushMs);
}

function look(): void {
  setImmediate(lookThrough, waiting, 0, arrivals);
  waiting = [];
}

/**
 * A thread that has nothing else to do makes one write a turn: a request that arrives meanwhile comes before the other
 * connections, which wait for the next look then.
 */
function lookThrough(connections: readonly LateFlushable[], from: number, arrivalsBefore: number): void {
  const busy = arrivals !== arrivalsBefore;
  let at = from;
  for (let yields = false; at < connections.length && !yields; at++) {
    const connection = connections[at]!;
    const found = connection.flushLate(busy);
    if (found === "waits") waiting.push(connection);
    yields = found === "written" && !busy;
  }
  if (at < connections.length) {
    setImmediate(lookThrough, connections, at, arrivals);
    return;
  }
  scheduled = false;
  schedule();
}
