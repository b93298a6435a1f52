/**
 * How long reads took that clients asked for, from when they came to when they were answered
 * (etcd_server_request_duration_seconds). A read whose leader no quorum confirms is counted elsewhere, by the member.
 */
import type { RequestName, RequestTimes } from "../apply/request-times.js";
import type { Clock } from "../ports/clock.js";

export interface ReadTimesDeps {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly times: RequestTimes;
}

export class ReadTimes {
  constructor(private readonly deps: ReadTimesDeps) {}

  /**
   * `answer` of local state that takes microseconds, as for one key. It counts as no time: two looks at the clock would
   * cost such a read 2 %.
   */
  atOnce<Answer>(name: RequestName, answer: () => Answer): Answer {
    let success = false;
    try {
      const answered = answer();
      success = true;
      return answered;
    } finally {
      this.deps.times.observe(name, success, 0);
    }
  }

  /** `answer` of local state, without waiting for anybody. */
  local<Answer>(name: RequestName, answer: () => Answer | Promise<Answer>): Answer | Promise<Answer> {
    return this.since(this.deps.clock.monotonicMs(), name, answer);
  }

  /** `answer`, which was asked for at `startedMs`. */
  since<Answer>(
    startedMs: number,
    name: RequestName,
    answer: () => Answer | Promise<Answer>,
  ): Answer | Promise<Answer> {
    try {
      const answered = answer();
      if (answered instanceof Promise) return this.later(startedMs, name, answered);
      this.ended(startedMs, name, true);
      return answered;
    } catch (error) {
      this.ended(startedMs, name, false);
      throw error;
    }
  }

  private async later<Answer>(
    startedMs: number,
    name: RequestName,
    answered: Promise<Answer>,
  ): Promise<Answer> {
    let success = false;
    try {
      const answer = await answered;
      success = true;
      return answer;
    } finally {
      this.ended(startedMs, name, success);
    }
  }

  private ended(startedMs: number, name: RequestName, success: boolean): void {
    const { clock, times } = this.deps;
    times.observe(name, success, clock.monotonicMs() - startedMs);
  }
}
