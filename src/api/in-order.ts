/**
 * Works on several requests of one stream at once, and gives the answers in the order of the requests. Thousands of
 * streams do so at a time, each with one request now and then, and what they touch is seldom in the processor's cache:
 * so a stream is one object here, and so is a request, from the work on it to its answer.
 */
import type { LaterListener } from "../base/later.js";
import { type RequestTaker, type ResponseSink, takeRequests } from "../transport/rpc.js";

export interface InOrderWork<Request, Answer> {
  /** Begins with a request: makes the answer, in `row`, and has it listen to the work. */
  readonly begin: (request: Request, row: Row) => void;
  /** Takes the answers whose work is done. */
  readonly sink: ResponseSink<Answer>;
}

/** Where answers stand in the order of their requests. */
export interface Row {
  nextNumber(): number;
  /** The work for `answer` is done. */
  ended(answer: AnswerInRow<unknown>): void;
}

/** The answer to a request; its work may be done before that of earlier ones. Made by `InOrderWork.begin`. */
export abstract class AnswerInRow<Outcome> implements LaterListener<Outcome> {
  readonly number: number;
  failed = false;
  /** What came of the work; undefined before. */
  outcome: Outcome | undefined;
  /** Why it failed. */
  error: unknown;

  constructor(private readonly row: Row) {
    this.number = row.nextNumber();
  }

  resolve(outcome: Outcome): void {
    this.outcome = outcome;
    this.row.ended(this);
  }

  reject(error: unknown): void {
    this.failed = true;
    this.error = error;
    this.row.ended(this);
  }
}

/**
 * Resolves when all requests are answered. At most `ahead` of them are taken for which no answer was given yet.
 * Rejects with the first failure in the order of the requests, or with that of their source; what is under way
 * then is let go.
 */
export function answerInOrder<Request, Answer extends AnswerInRow<unknown>>(
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

class AnswerRow<Request, Answer extends AnswerInRow<unknown>> implements RequestTaker<Request>, Row {
  /** Requests that were taken, and answers that were given: the number of the next one each. */
  private taken = 0;
  private given = 0;
  /** The client is behind, or an answer could not be given: none is for now. */
  private halted = false;
  private readonly begin: InOrderWork<Request, Answer>["begin"];
  private readonly sink: ResponseSink<Answer>;
  /** Answers that can not be given yet, by their numbers. Made when there is one. */
  private early: Map<number, Answer> | undefined;
  private wake: (() => void) | undefined;

  constructor(
    private readonly ahead: number,
    work: InOrderWork<Request, Answer>,
    private readonly fail: (error: unknown) => void,
  ) {
    this.begin = work.begin;
    this.sink = work.sink;
  }

  nextNumber(): number {
    return this.taken++;
  }

  take(request: Request): Promise<void> | undefined {
    this.begin(request, this);
    return this.taken - this.given < this.ahead ? undefined : this.shorterThan(this.ahead);
  }

  /** Resolves when so few answers are left to be given. */
  async shorterThan(length: number): Promise<void> {
    while (this.taken - this.given >= length) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Only answers that `begin` made end here. */
  ended(answer: AnswerInRow<unknown>): void {
    if (answer.number === this.given && !this.halted) this.give(answer as Answer);
    else {
      this.early ??= new Map();
      this.early.set(answer.number, answer as Answer);
    }
  }

  /** Gives `first`, whose turn it is, and those behind it whose work was done before. */
  private give(first: Answer): void {
    for (let answer: Answer | undefined = first; answer !== undefined; answer = this.nextEarly()) {
      if (answer.failed) {
        this.halted = true;
        this.fail(answer.error);
        return;
      }
      this.given++;
      this.giveOne(answer);
      this.wake?.();
      this.wake = undefined;
    }
  }

  private nextEarly(): Answer | undefined {
    const { early, given } = this;
    if (early === undefined || this.halted) return undefined;
    const answer = early.get(given);
    if (answer !== undefined) early.delete(given);
    return answer;
  }

  private giveOne(answer: Answer): void {
    try {
      if (!this.sink.write(answer)) this.waitUntil(this.sink.drained());
    } catch (error) {
      // Nothing may come after what is missing.
      this.halted = true;
      this.fail(error);
    }
  }

  private waitUntil(drained: Promise<void>): void {
    this.halted = true;
    drained.then(() => {
      this.halted = false;
      const next = this.nextEarly();
      if (next !== undefined) this.give(next);
    }, this.fail);
  }
}
