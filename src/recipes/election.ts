/** An election: of all sessions that campaign, one leads. Keys and transactions are those of Go's concurrency.Election. */

import { toBytes } from "../client/bytes.js";
import {
  type BytesLike,
  type CallOptions,
  type Compare,
  compare,
  del,
  type KeyValue,
  put,
  type QuorateClient,
  type ResponseHeader,
} from "../client/index.js";
import {
  eventsFrom,
  frontOptions,
  type Place,
  queueKey,
  queuePrefix,
  RecipeError,
  takePlace,
  type WaitOptions,
  waitForFront,
  whileInPlace,
} from "./queue-key.js";
import type { Session } from "./session.js";

/** Who leads, as observed. */
export interface Leader {
  readonly header: ResponseHeader;
  /** The value that the leader proclaims, and when it came to lead (`createRevision`). */
  readonly kv: KeyValue;
}

/** `await using leadership = await election.campaign("me")` resigns at the end of the block. */
export class Leadership implements AsyncDisposable {
  constructor(
    private readonly session: Session,
    private readonly place: Place,
  ) {}

  get key(): Uint8Array {
    return this.place.key;
  }

  /** Larger than that of everyone who led before: what is led can refuse a leader that was deposed. */
  get fencingRevision(): bigint {
    return this.place.revision;
  }

  /** Aborted when the session is lost, and leadership with it. */
  get lost(): AbortSignal {
    return this.session.lost;
  }

  /** The condition, for a transaction, that it still leads. */
  isLeader(): Compare {
    return compare(this.place.key, "create", "=", this.place.revision);
  }

  /** Changes the value that observers see. Errors: `RecipeError` not-leader; `QuorateClientError`. */
  async proclaim(value: BytesLike, options: CallOptions = {}): Promise<ResponseHeader> {
    return proclaim(this.session, this.place, value, options);
  }

  /** Gives leadership up. Where it was lost meanwhile that is no error. */
  async resign(options: CallOptions = {}): Promise<void> {
    await whileInPlace(this.session, this.place, del(this.place.key), options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resign();
  }
}

async function proclaim(
  session: Session,
  place: Place,
  value: BytesLike,
  options: CallOptions,
): Promise<ResponseHeader> {
  const operation = put(place.key, value, { lease: session.lease });
  const { succeeded, header } = await whileInPlace(session, place, operation, options);
  if (!succeeded) throw new RecipeError("not-leader", "election: not leader");
  return header!;
}

export class Election {
  private readonly prefix: string;

  constructor(
    private readonly client: QuorateClient,
    name: string,
  ) {
    this.prefix = queuePrefix(name);
  }

  /**
   * Waits until the session leads, with `value` for observers to see. A session has one place: campaigning again
   * changes its value. Errors: `RecipeError` session-lost; `QuorateClientError`, after which the place is given up.
   */
  async campaign(session: Session, value: BytesLike, { signal }: WaitOptions = {}): Promise<Leadership> {
    const key = queueKey(this.prefix, session.lease);
    const { place, existing } = await takePlace(session, key, value, [], signal);
    try {
      const isOther = existing !== undefined && Buffer.compare(existing.value, toBytes(value)) !== 0;
      if (isOther) await proclaim(session, place, value, { signal });
      await waitForFront(session, this.prefix, place, signal);
      return new Leadership(session, place);
    } catch (error) {
      await whileInPlace(session, place, del(key)).catch(() => {
        // The error that made us leave is the one to tell; what stays goes with the session.
      });
      throw error;
    }
  }

  /** Who leads now. Errors: `RecipeError` no-leader; `QuorateClientError`. */
  async leader(options: CallOptions = {}): Promise<Leader> {
    const { header, kvs } = await this.client.kv.get(this.prefix, { ...frontOptions, ...options });
    const [kv] = kvs;
    if (kv === undefined) throw new RecipeError("no-leader", "election: no leader");
    return { header: header!, kv };
  }

  /**
   * The leader now, if there is one, and each new value and new leader, in their order. While nobody leads, it waits.
   * A leader whose time was forgotten by a compaction before it was read may be passed over. Errors, thrown by the
   * loop: `QuorateClientError`.
   */
  async *observe({ signal }: WaitOptions = {}): AsyncGenerator<Leader, void, undefined> {
    for (;;) {
      const { header, kvs } = await this.client.kv.get(this.prefix, { ...frontOptions, signal });
      const after = header!.revision + 1n;
      const leader =
        kvs[0] === undefined ? await this.firstComer(after, signal) : { header: header!, kv: kvs[0] };
      if (leader === undefined) continue;
      yield leader;
      const startRevision = leader.header.revision + 1n;
      for await (const { event, header } of eventsFrom(this.client, leader.kv.key, {
        startRevision,
        signal,
      })) {
        if (event.type === "delete") break;
        yield { header, kv: event.kv };
      }
    }
  }

  /** Undefined where history is gone that was not read yet. */
  private async firstComer(
    startRevision: bigint,
    signal: AbortSignal | undefined,
  ): Promise<Leader | undefined> {
    const options = { startRevision, prefix: true, without: "delete", signal } as const;
    for await (const { event, header } of eventsFrom(this.client, this.prefix, options)) {
      // The answer may have later events too, which are not to be passed over.
      return { header: { ...header, revision: event.kv.modRevision }, kv: event.kv };
    }
    return undefined;
  }
}
