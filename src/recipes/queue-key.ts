/**
 * The line that locks and elections stand in. Each session has the key `<prefix>/<lease id in lower-case hex>`; the
 * one whose key was created first is at the front, and the key of the next one is what each of the others waits
 * for. So a key that goes wakes one waiter, not all (as Go's clientv3/concurrency; the queue of ZooKeeper's recipes).
 */
import { utf8Bytes } from "../base/bytes.js";
import {
  type BytesLike,
  type CallOptions,
  compare,
  GrpcCode,
  get,
  isClientError,
  type KeyValue,
  put,
  type QuorateClient,
  QuorateClientError,
  type RangeResponse,
  type RequestOp,
  type ResponseHeader,
  type TxnResponse,
  WatchCanceledError,
  type WatchEvent,
  type WatchOptions,
} from "../client/index.js";
import { pause } from "../client/timer.js";
import type { Session } from "./session.js";

/** How a recipe fails other than by a failed call. */
export class RecipeError extends Error {
  override readonly name = "RecipeError";
  constructor(
    readonly reason: "session-lost" | "not-leader" | "no-leader" | "not-held",
    message: string,
    override readonly cause?: unknown,
  ) {
    super(message);
  }
}

/** Between attempts while the members elect a leader, which takes about a second. */
const retryPauseMs = 100;

export interface WaitOptions {
  /** Aborting it gives up the place in the line; the call fails with `QuorateClientError` Canceled. */
  readonly signal?: AbortSignal | undefined;
}

/** A place in the line: `revision` is the create revision of the key, larger than that of all before it. */
export interface Place {
  readonly key: Uint8Array;
  readonly revision: bigint;
  readonly header: ResponseHeader;
}

export function queuePrefix(name: string): string {
  return `${name}/`;
}

/** `%x` of Go: a lease id is a signed number there. */
export function queueKey(prefix: string, lease: bigint): Uint8Array {
  return utf8Bytes(prefix + lease.toString(16));
}

/** Reads the pair at the front of the line. */
export const frontOptions = { prefix: true, sortBy: "create", order: "ascend", limit: 1 } as const;

/**
 * Takes a place, or finds the one that the session has already: then nothing is written. `also` is read in the same
 * transaction. Safe to repeat, as the key is the session's own, so that an answer that got lost is asked for again.
 * `signal` does not cut it short: whoever gives up must know the place to leave it.
 */
export async function takePlace(
  session: Session,
  key: Uint8Array,
  value: BytesLike,
  also: readonly RequestOp[],
  signal: AbortSignal | undefined,
): Promise<{ readonly place: Place; readonly existing: KeyValue | undefined; readonly answer: TxnResponse }> {
  const txn = session.client
    .txn()
    .if(compare(key, "create", "=", 0))
    .then(put(key, value, { lease: session.lease }), ...also)
    .else(get(key), ...also);
  for (;;) {
    if (signal?.aborted === true) throw givenUp();
    try {
      const answer = await txn.commit();
      const header = answer.header!;
      const existing = answer.succeeded ? undefined : rangeOf(answer, 0).kvs[0];
      const revision = existing === undefined ? header.revision : existing.createRevision;
      return { place: { key, revision, header }, existing, answer };
    } catch (error) {
      if (isClientError(error, GrpcCode.NotFound)) throw sessionLost(error);
      const mayRepeat = isClientError(error, GrpcCode.Unavailable) && error.mayHaveBeenApplied;
      if (!mayRepeat || session.lost.aborted) throw error;
      await pause(retryPauseMs);
    }
  }
}

/** The answer to the read at this position of a transaction. */
export function rangeOf(answer: TxnResponse, position: number): RangeResponse {
  const response = answer.responses[position]?.response;
  if (response?.$case === "responseRange") return response.value;
  throw new TypeError(`operation ${position} was no read`);
}

/** Waits until no key of the prefix was created before `place`. Errors: Canceled where `signal` is aborted already. */
export async function waitForFront(
  session: Session,
  prefix: string,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { client } = session;
  const either = AbortSignal.any(signal === undefined ? [session.lost] : [session.lost, signal]);
  try {
    for (;;) {
      const before = await client.kv.get(prefix, {
        prefix: true,
        sortBy: "create",
        order: "descend",
        limit: 1,
        maxCreateRevision: place.revision - 1n,
        signal: either,
      });
      const [next] = before.kvs;
      if (next === undefined) return;
      await waitForDeletion(client, next.key, before.header!.revision + 1n, either);
    }
  } catch (error) {
    throw session.lost.aborted ? sessionLost(session.lost.reason) : error;
  }
}

/** Also returns when the history is gone in which the deletion would stand: then only a new look tells. */
async function waitForDeletion(
  client: QuorateClient,
  key: Uint8Array,
  startRevision: bigint,
  signal: AbortSignal,
): Promise<void> {
  const events = eventsFrom(client, key, { startRevision, without: "put", signal });
  await events.next();
  await events.return();
}

/** One by one; ends where history is gone that was not read yet. Errors: `QuorateClientError`. */
export async function* eventsFrom(
  client: QuorateClient,
  key: BytesLike,
  options: WatchOptions,
): AsyncGenerator<{ readonly event: WatchEvent; readonly header: ResponseHeader }, void, undefined> {
  try {
    for await (const { events, header } of client.watch(key, options)) {
      for (const event of events) yield { event, header };
    }
  } catch (error) {
    if (!(error instanceof WatchCanceledError) || error.compactRevision === undefined) throw error;
  }
}

/** Does `operation` if the place is still the session's; `succeeded` of the answer tells. Errors: `QuorateClientError`. */
export function whileInPlace(
  session: Session,
  { key, revision }: Place,
  operation: RequestOp,
  options: CallOptions = {},
): Promise<TxnResponse> {
  return session.client
    .txn()
    .if(compare(key, "create", "=", revision))
    .then(operation)
    .commit(options);
}

function givenUp(): QuorateClientError {
  return new QuorateClientError(GrpcCode.Canceled, "context canceled", false, undefined);
}

export function sessionLost(cause: unknown): RecipeError {
  return new RecipeError("session-lost", "the session was lost", cause);
}
