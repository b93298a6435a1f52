/**
 * A lock that one session at a time holds; keys and transactions are those of Go's concurrency.Mutex, so that both
 * exclude each other.
 *
 * A lock of this kind is known to be lost some time after it was lost: a process that slept too long still
 * believes that it holds it. So what the lock protects must check, either by `isOwner()` as a condition of each
 * transaction, or by refusing a `fencingRevision` below one that it has seen (etcd issue 11457).
 */
import { type CallOptions, type Compare, compare, del, get, type ResponseHeader } from "../client/index.js";
import {
  frontOptions,
  type Place,
  queueKey,
  queuePrefix,
  rangeOf,
  sessionLost,
  takePlace,
  type WaitOptions,
  waitForFront,
  whileInPlace,
} from "./queue-key.js";
import type { Session } from "./session.js";

/** `await using held = await mutex.lock()` unlocks at the end of the block. */
export class HeldLock implements AsyncDisposable {
  constructor(
    private readonly session: Session,
    private readonly place: Place,
    /** Of the answer that told that the lock is held. */
    readonly header: ResponseHeader,
  ) {}

  /** There as long as the lock is held. */
  get key(): Uint8Array {
    return this.place.key;
  }

  /** Larger than that of everyone who held the lock before. */
  get fencingRevision(): bigint {
    return this.place.revision;
  }

  /** Aborted when the session is lost, and the lock with it. */
  get lost(): AbortSignal {
    return this.session.lost;
  }

  /** The condition, for a transaction, that the lock is still held. */
  isOwner(): Compare {
    return compare(this.place.key, "create", "=", this.place.revision);
  }

  /** Gives the lock up. One that was lost meanwhile, or is unlocked already, is no error. */
  async unlock(options: CallOptions = {}): Promise<void> {
    await whileInPlace(this.session, this.place, del(this.place.key), options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unlock();
  }
}

/** A session holds a lock at most once: locking again gives what it holds, and one `unlock` ends both. */
export class Mutex {
  private readonly prefix: string;

  constructor(
    private readonly session: Session,
    name: string,
  ) {
    this.prefix = queuePrefix(name);
  }

  /**
   * Waits until the lock is held. First come, first served. Errors: `RecipeError` session-lost; `QuorateClientError`,
   * after which the place in the line is given up, if need be when the session ends.
   */
  async lock({ signal }: WaitOptions = {}): Promise<HeldLock> {
    const { place, isFront } = await this.queue(signal);
    const isGivenUp = signal?.aborted === true;
    if (isFront && !isGivenUp) return new HeldLock(this.session, place, place.header);
    try {
      await waitForFront(this.session, this.prefix, place, signal);
      const own = await this.session.client.kv.get(place.key, { signal });
      // With the lease the key may have gone while others were waited for.
      if (own.kvs[0]?.createRevision !== place.revision) throw sessionLost(this.session.lost.reason);
      return new HeldLock(this.session, place, own.header!);
    } catch (error) {
      await this.leave(place);
      throw error;
    }
  }

  /** The lock, or undefined where another session holds it or waits for it. Errors: as of `lock`. */
  async tryLock({ signal }: WaitOptions = {}): Promise<HeldLock | undefined> {
    const { place, isFront } = await this.queue(signal);
    if (isFront) return new HeldLock(this.session, place, place.header);
    await whileInPlace(this.session, place, del(place.key));
    return undefined;
  }

  private async queue(
    signal: AbortSignal | undefined,
  ): Promise<{ readonly place: Place; readonly isFront: boolean }> {
    const key = queueKey(this.prefix, this.session.lease);
    const front = get(this.prefix, frontOptions);
    const { place, answer } = await takePlace(this.session, key, "", [front], signal);
    const [owner] = rangeOf(answer, 1).kvs;
    return { place, isFront: owner === undefined || owner.createRevision === place.revision };
  }

  /** As well as it can be done: what stays goes with the session. */
  private async leave(place: Place): Promise<void> {
    try {
      await whileInPlace(this.session, place, del(place.key));
    } catch {
      // The error that made us leave is the one to tell.
    }
  }
}
