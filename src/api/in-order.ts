/** Works on several requests of one stream at once, and gives the answers in the order of the requests. */
import type { Later, LaterListener } from "../base/later.js";
import { type RequestTaker, type ResponseSink, takeRequests } from "../transport/rpc.js";

export interface InOrderWork<Request, Answer> {
  readonly work: (request: Request) => Later<Answer>;
  /** Takes the answers. */
  readonly sink: ResponseSink<Answer>;
}

/**
 * Resolves when all requests are answered. At most `ahead` of them are taken for which no answer was given yet.
 * Rejects with the first failure in the order of the requests, or with that of their source; what is under way
 * then is let go.
 */
export function answerInOrder<Request, Answer>(
  requests: AsyncIterable<Request>,
  options: { readonly ahead: number },
  work: InOrderWork<Request, Answer>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const row = new AnswerRow(options.ahead, work, reject);
    takeRequests(requests, row)
      .then(() => row.shorterThan(1))
      .then(resolve, reject);
  });
}

/** A request that was taken: its answer may come before those of earlier ones. */
class Place<Answer> implements LaterListener<Answer> {
  state: "open" | "answered" | "failed" = "open";
  outcome: unknown;
  /** The place of the request after this one. */
  next: Place<Answer> | undefined;

  constructor(private readonly row: { advance(): void }) {}

  resolve(answer: Answer): void {
    this.end("answered", answer);
  }

  reject(error: unknown): void {
    this.end("failed", error);
  }

  private end(state: "answered" | "failed", outcome: unknown): void {
    this.state = state;
    this.outcome = outcome;
    this.row.advance();
  }
}

/**
 * Requests that were taken and whose answers were not given, oldest first. Thousands of streams have one each, and
 * most have one request at a time: so it is one object, which a list inside it would not be.
 */
class AnswerRow<Request, Answer> implements RequestTaker<Request> {
  private first: Place<Answer> | undefined;
  private last: Place<Answer> | undefined;
  private length = 0;
  private giving = false;
  private wake: (() => void) | undefined;

  constructor(
    private readonly ahead: number,
    private readonly work: InOrderWork<Request, Answer>,
    private readonly fail: (error: unknown) => void,
  ) {}

  take(request: Request): Promise<void> | undefined {
    const answer = this.work.work(request);
    const place = new Place<Answer>(this);
    if (this.last === undefined) this.first = place;
    else this.last.next = place;
    this.last = place;
    this.length++;
    answer.settle(place);
    return this.length < this.ahead ? undefined : this.shorterThan(this.ahead);
  }

  /** Resolves when so few answers are left to be given. */
  async shorterThan(length: number): Promise<void> {
    while (this.length >= length) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Gives what can be given in order. */
  advance(): void {
    while (!this.giving) {
      const { first } = this;
      if (first === undefined || first.state === "open") return;
      if (first.state === "failed") {
        this.fail(first.outcome);
        return;
      }
      this.first = first.next;
      if (first.next === undefined) this.last = undefined;
      this.length--;
      this.giveOne(first.outcome as Answer);
      this.wake?.();
      this.wake = undefined;
    }
  }

  private giveOne(answer: Answer): void {
    try {
      const { sink } = this.work;
      if (!sink.write(answer)) this.waitUntil(sink.drained());
    } catch (error) {
      // Nothing may come after what is missing.
      this.giving = true;
      this.fail(error);
    }
  }

  private waitUntil(drained: Promise<void>): void {
    this.giving = true;
    drained.then(() => {
      this.giving = false;
      this.advance();
    }, this.fail);
  }
}
