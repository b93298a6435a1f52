/** One writer at a time, in order of asking; after a failed write, none. */
import { storeError } from "../../base/errors.js";

export class WriteTurns {
  private last: Promise<unknown> = Promise.resolve();
  private failure: unknown;

  /** Runs `task` when those before it have ended. Rejects with the failure when a write failed, or after `stop`. */
  run<Result>(task: () => Promise<Result>): Promise<Result> {
    const turn = this.last.then(() => {
      this.check();
      return task();
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** Throws what made the store unusable. */
  check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  /** No further write: what LevelDB and the page cache hold can not be trusted any more. */
  fail(reason: unknown): void {
    this.failure ??= reason;
  }

  /** Refuses further turns, and resolves when the one under way has ended. */
  async stop(): Promise<void> {
    this.fail(storeError("Stopped"));
    await this.last;
  }
}
