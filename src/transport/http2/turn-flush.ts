/**
 * Everything that the connections were given in one turn of the event loop leaves at its end, in one write each. Whoever
 * has a long piece of work before that end may let what is there leave first.
 */

export interface TurnFlushable {
  flush(): void;
}

let waiting: TurnFlushable[] = [];

/** Has `connection` flushed at the end of this turn. To be called once until it was. */
export function flushAtEndOfTurn(connection: TurnFlushable): void {
  if (waiting.push(connection) === 1) process.nextTick(flushNow);
}

/** What waits for the end of this turn leaves now. */
export function flushNow(): void {
  while (waiting.length > 0) {
    const due = waiting;
    waiting = [];
    for (const connection of due) connection.flush();
  }
}
