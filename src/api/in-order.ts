/** Works on several requests of one stream at once, and gives the answers in the order of the requests. */

/**
 * Takes at most `ahead` requests for which no answer was given yet. Rejects with the first failure, of a request or
 * of its source; what is under way then is let go.
 */
export async function* inOrder<Request, Answer>(
  requests: AsyncIterable<Request>,
  options: { readonly ahead: number },
  work: (request: Request) => Promise<Answer>,
): AsyncIterable<Answer> {
  const source = requests[Symbol.asyncIterator]();
  const answers: Promise<Answer>[] = [];
  let next = take(source);
  let open = true;
  while (open || answers.length > 0) {
    const wantsMore = open && answers.length < options.ahead;
    const first = answers[0]?.then((): "answered" => "answered");
    const event = wantsMore ? await Promise.race(first === undefined ? [next] : [first, next]) : await first!;
    if (event === "answered") {
      yield await answers.shift()!;
    } else if (event.done === true) {
      open = false;
    } else {
      const answer = work(event.value);
      // It is awaited in its turn; until then its failure is nobody's.
      answer.catch(() => {});
      answers.push(answer);
      next = take(source);
    }
  }
}

function take<Request>(source: AsyncIterator<Request>): Promise<IteratorResult<Request>> {
  const next = source.next();
  next.catch(() => {});
  return next;
}
