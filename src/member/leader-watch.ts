/** Who led when: for those that wait for a leader, and for saying why a request ran out of time. */
import type { MemberId } from "../base/brand.js";
import { type StoreError, storeError } from "../base/errors.js";
import type { Clock } from "../ports/clock.js";

type LeaderTest = (leader: MemberId) => boolean;

export class LeaderWatch {
  private leader: MemberId = 0n;
  private electedMs = 0;
  private changes = 0;
  private waiters: { readonly test: LeaderTest; readonly done: (reached: boolean) => void }[] = [];

  /** `leaderLossMs`: how long before an election the leader before it may have been gone (two election timeouts). */
  constructor(private readonly options: { readonly leaderLossMs: number }) {}

  get current(): MemberId {
    return this.leader;
  }

  /** How often another leader was seen than before. */
  get changesSeen(): number {
    return this.changes;
  }

  /** To be told after each turn in which the leader may have changed. */
  changed(leader: MemberId, nowMs: number): void {
    if (leader === this.leader) return;
    this.leader = leader;
    if (leader !== 0n) {
      this.electedMs = nowMs;
      this.changes++;
    }
    const due = this.waiters.filter((waiter) => waiter.test(leader));
    this.waiters = this.waiters.filter((waiter) => !due.includes(waiter));
    for (const waiter of due) waiter.done(true);
  }

  /** True as soon as `test` holds for the leader, false when `limitMs` is over before. */
  until(test: LeaderTest, options: { readonly limitMs: number; readonly clock: Clock }): Promise<boolean> {
    if (test(this.leader)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter = {
        test,
        done: (reached: boolean): void => {
          cancel();
          resolve(reached);
        },
      };
      const cancel = options.clock.after(options.limitMs, () => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        resolve(false);
      });
      this.waiters.push(waiter);
    });
  }

  /** What a request is told that began at `startedMs` and was not answered in time. */
  timeoutError(startedMs: number): StoreError {
    const leaderWasLost =
      startedMs > this.electedMs - this.options.leaderLossMs && startedMs < this.electedMs;
    return storeError(leaderWasLost ? "TimeoutDueToLeaderFail" : "Timeout");
  }
}
