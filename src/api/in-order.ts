/** Works on several requests of one stream at once, and gives the answers in the order of the requests. */

export interface InOrderWork<Request, Answer> {
  readonly work: (request: Request) => Promise<Answer>;
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
    const take = async (): Promise<void> => {
      for await (const request of requests) {
        row.add(work(request));
        while (row.length >= options.ahead) await row.shorter();
      }
      while (row.length > 0) await row.shorter();
    };
    take().then(resolve, reject);
  });
}

interface Place<Answer> {
  state: "open" | "answered" | "failed";
  answer: Answer | undefined;
  failure: unknown;
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

  add(answer: Promise<Answer>): void {
    const place: Place<Answer> = { state: "open", answer: undefined, failure: undefined };
    this.places.push(place);
    answer.then(
      (value) => {
        place.state = "answered";
        place.answer = value;
        this.advance();
      },
      (error: unknown) => {
        place.state = "failed";
        place.failure = error;
        this.advance();
      },
    );
  }

  /** Resolves when an answer was given. */
  shorter(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  private advance(): void {
    const { places } = this;
    while (!this.giving) {
      const first = places[0];
      if (first === undefined || first.state === "open") return;
      if (first.state === "failed") {
        this.fail(first.failure);
        return;
      }
      places.shift();
      const given = this.give(first.answer as Answer);
      if (given !== undefined) this.waitUntil(given);
      this.wake?.();
      this.wake = undefined;
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
