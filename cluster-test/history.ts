/** Clients that do random things to a few keys and note when they asked and what they were told. */
import { compare, connect, get, put, type QuorateClient, QuorateClientError } from "../src/client/index.js";
import { type Action, type Answer, type Change, checkLinearizable, type Operation } from "./linearizable.js";
import { patienceMs, within } from "./within.js";

export interface HistoryOptions {
  readonly clients: number;
  readonly keys: number;
}

const callTimeoutMs = 1_500;
/** Where the keys are: "history/0" and so on. */
export const prefix = "history/";
/** Reads of old revisions under way at once. */
const truthReads = 32;

export class History {
  readonly operations: Operation[] = [];
  private readonly clients: readonly QuorateClient[];
  private readonly loops: readonly Promise<void>[];
  /** What each key was last seen to hold, by anyone: gives swaps a chance. */
  private readonly seen = new Map<string, string | undefined>();
  private waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  private answered = 0;
  private stopped = false;

  private constructor(
    endpoints: readonly string[],
    private readonly options: HistoryOptions,
    /** Revision before the first operation. */
    private readonly base: number,
  ) {
    // Each stays with one member: a member that answers wrongly is asked often.
    this.clients = Array.from({ length: options.clients }, (_, at) =>
      connect({ endpoints: [endpoints[at % endpoints.length]!], timeouts: { callMs: callTimeoutMs } }),
    );
    this.loops = this.clients.map((client, at) => this.run(client, at));
  }

  static async begin(endpoints: readonly string[], options: HistoryOptions): Promise<History> {
    await using client = connect({ endpoints });
    const { header } = await client.kv.get(prefix, { prefix: true });
    return new History(endpoints, options, Number(header!.revision));
  }

  /** Resolves when `more` further operations were answered; rejects where the cluster answers none. */
  answers(more: number): Promise<void> {
    const count = this.answered + more;
    const done = new Promise<void>((resolve) => this.waiters.push({ count, resolve }));
    return within(patienceMs(more), `${more} operations answered`, done);
  }

  /** Does it and takes note of it; the answer, or undefined where there was none. */
  async attempt(client: QuorateClient, action: Action): Promise<Answer | undefined> {
    const startedMs = performance.now();
    const answer = await perform(client, action).catch((error: unknown) => {
      if (error instanceof QuorateClientError) return undefined;
      throw error;
    });
    const endedMs = performance.now();
    // A read that failed tells nothing.
    if (answer === undefined && action.kind === "get") return undefined;
    this.operations.push({ action, startedMs, endedMs, answer });
    if (answer !== undefined) this.note(action, answer);
    return answer;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.loops);
    await Promise.all(this.clients.map((client) => client.close()));
  }

  /** To be called after `stop`. Throws with what is wrong. */
  async verify(client: QuorateClient): Promise<{ readonly answered: number; readonly unknown: number }> {
    const truth = await readTruth(client, this.base);
    const { violations } = checkLinearizable(this.operations, truth, this.base);
    if (violations.length > 0) throw new Error(`not linearizable:\n${violations.join("\n")}`);
    return { answered: this.answered, unknown: this.operations.length - this.answered };
  }

  private async run(client: QuorateClient, who: number): Promise<void> {
    for (let count = 0; !this.stopped; count++) {
      await this.attempt(client, this.choose(who, count));
    }
  }

  private choose(who: number, count: number): Action {
    const key = `${prefix}${Math.floor(Math.random() * this.options.keys)}`;
    const value = `${who}-${count}`;
    const dice = Math.random();
    if (dice < 0.5) return { kind: "get", key };
    if (dice < 0.75) return { kind: "put", key, value };
    if (dice < 0.85) return { kind: "delete", key };
    return { kind: "swap", key, expected: this.seen.get(key), value };
  }

  private note(action: Action, answer: Answer): void {
    this.answered++;
    if (action.kind === "put") this.seen.set(action.key, action.value);
    else if (action.kind === "swap" && answer.took) this.seen.set(action.key, action.value);
    else this.seen.set(action.key, action.kind === "delete" ? undefined : answer.seen);
    const due = this.waiters.filter((waiter) => waiter.count <= this.answered);
    if (due.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => !due.includes(waiter));
    for (const waiter of due) waiter.resolve();
  }
}

async function perform(client: QuorateClient, action: Action): Promise<Answer> {
  const { key } = action;
  switch (action.kind) {
    case "put": {
      const { header } = await client.kv.put(key, action.value);
      return { revision: Number(header!.revision), took: true, seen: undefined };
    }
    case "delete": {
      const { header, deleted } = await client.kv.delete(key);
      return { revision: Number(header!.revision), took: deleted > 0n, seen: undefined };
    }
    case "get": {
      const { header, kvs } = await client.kv.get(key);
      return { revision: Number(header!.revision), took: false, seen: textOf(kvs[0]?.value) };
    }
    case "swap": {
      const { expected } = action;
      const condition =
        expected === undefined ? compare(key, "version", "=", 0) : compare(key, "value", "=", expected);
      const answer = await client.kv.txn().if(condition).then(put(key, action.value)).else(get(key)).commit();
      const first = answer.responses[0]?.response;
      const seen = first?.$case === "responseRange" ? textOf(first.value.kvs[0]?.value) : undefined;
      return { revision: Number(answer.header!.revision), took: answer.succeeded, seen };
    }
  }
}

/** What each revision changed, asked of the store revision by revision. */
async function readTruth(client: QuorateClient, base: number): Promise<Change[]> {
  const { header } = await client.kv.get(prefix, { prefix: true, countOnly: true });
  const last = Number(header!.revision);
  const truth: Change[] = [];
  let before = new Map<string, string>();
  for (let from = base + 1; from <= last; from += truthReads) {
    const revisions = Array.from({ length: Math.min(truthReads, last + 1 - from) }, (_, at) => from + at);
    const states = await Promise.all(revisions.map((revision) => stateAt(client, revision)));
    states.forEach((state, at) => {
      for (const key of new Set([...before.keys(), ...state.keys()])) {
        const value = state.get(key);
        if (value !== before.get(key)) truth.push({ revision: from + at, key, value });
      }
      before = state;
    });
  }
  return truth;
}

async function stateAt(client: QuorateClient, revision: number): Promise<Map<string, string>> {
  const { kvs } = await client.kv.get(prefix, { prefix: true, revision, serializable: true });
  return new Map(kvs.map((kv) => [textOf(kv.key)!, textOf(kv.value)!]));
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}
