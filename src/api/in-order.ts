/** Works on several requests of one stream at once, and gives the answers in the order of the requests. */
import type { Later, LaterListener } from "../base/later.js";
import { takeRequests } from "../transport/rpc.js";

export interface InOrderWork<Request, Answer> {
  readonly work: (request: Request) => Later<Answer>;
  /** Takes an answer. A promise: the next one is given when it resolves. */
  readonly give: (answer: Answer) => Promise<void> | undefined;
}

/**
 * Resolves when all requests are answered. At most `ahead` of them are taken for which no answer was given yet.
 * Rejects with the first failure in the order of the requests, or with that of their source; what is under way
 * then is let go.
 */
export function answerInOrder<Request, Answer>(
  requests: AsyncIterable<Request>,
  options: { readonly ahead: number },
  { work, give }: InOrderWork<Request, Answer>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const row = new AnswerRow(give, reject);
    const take = (request: Request): Promise<void> | undefined => {
      row.add(work(request));
      return row.length < options.ahead ? undefined : row.shorterThan(options.ahead);
    };
    takeRequests(requests, take)
      .then(() => row.shorterThan(1))
      .then(resolve, reject);
  });
}

/** A request that was taken: its answer may come before those of earlier ones. */
class Place<Answer> implements LaterListener<Answer> {
  state: "open" | "answered" | "failed" = "open";
  outcome: unknown;

  constructor(private readonly row: AnswerRow<Answer>) {}

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

/** Requests that were taken and whose answers were not given, oldest first. */
class AnswerRow<Answer> {
  private readonly places: Place<Answer>[] = [];
  private giving = false;
  private wake: (() => void) | undefined;

  constructor(
    private readonly give: (answer: Answer) => Promise<void> | undefined,
    private readonly fail: (error: unknown) => void,
  ) {}

  get length(): number {
    return this.places.length;
  }

  add(answer: Later<Answer>): void {
    const place = new Place<Answer>(this);
    this.places.push(place);
    answer.settle(place);
  }

  /** Resolves when so few answers are left to be given. */
  async shorterThan(length: number): Promise<void> {
    while (this.places.length >= length) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Gives what can be given in order. */
  advance(): void {
    const { places } = this;
    while (!this.giving) {
      const first = places[0];
      if (first === undefined || first.state === "open") return;
      if (first.state === "failed") {
        this.fail(first.outcome);
        return;
      }
      places.shift();
      this.giveOne(first.outcome as Answer);
      this.wake?.();
      this.wake = undefined;
    }
  }

  private giveOne(answer: Answer): void {
    try {
      const given = this.give(answer);
      if (given !== undefined) this.waitUntil(given);
    } catch (error) {
      // Nothing may come after what is missing.
      this.giving = true;
      this.fail(error);
    }
  }

  private waitUntil(given: Promise<void>): void {
    this.giving = true;
    given.then(() => {
      this.giving = false;
      this.advance();
    }, this.fail);
  }
}
