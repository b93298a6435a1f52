/**
 * A lease that is kept alive. Its time is counted from when a request was sent, not from its answer: the server
 * counts from somewhere in between, so that a lease is known to be lost here before it is over there.
 */
import { limits } from "../base/limits.js";
import type { LeaseKeepAliveResponse } from "../gen/etcdserver.js";
import { GrpcCode, isClientError, QuorateClientError } from "./errors.js";
import { timerMsMax } from "./timer.js";

/** Of three requests in a lease's time two may be lost; etcd's client asks as often. */
const renewalsPerTtl = 3;

/** A lease is over, or may be: what was attached to it is deleted, or will be. */
export class LeaseLostError extends QuorateClientError {
  constructor(
    code: GrpcCode,
    message: string,
    readonly leaseId: bigint,
    /** Why no renewal came through, where that is known. */
    override readonly cause: unknown,
  ) {
    super(code, message, false, undefined);
  }
}

export interface KeepAliveOptions {
  /** Called at each renewal. */
  readonly onRenewed?: ((response: LeaseKeepAliveResponse) => void) | undefined;
  /** Aborting it is `stop()`. */
  readonly signal?: AbortSignal | undefined;
}

/** What a kept lease asks of the one that keeps it. */
export interface LeaseOwner {
  /** False where there is no stream now; the lease is told by `ask` when there is one again. */
  send(id: bigint): boolean;
  /** The stream does not answer: a better one is wanted. */
  giveUpStream(): void;
  ended(lease: KeptLease): void;
  revoke(id: bigint): Promise<unknown>;
}

/** Its time as known here: `grantedAtMs` is when the request for it was sent (`performance.now()`). */
export interface KnownTtl {
  readonly ttlSeconds: number;
  readonly grantedAtMs: number;
}

/** `await using lease = await client.leases.keep(10)` revokes it at the end of the block. */
export class KeptLease implements AsyncDisposable {
  private readonly losing = new AbortController();
  private ttlMs: number;
  private deadlineMs: number;
  private nextAskMs: number;
  /** When the request that is not answered yet was sent. */
  private askedAtMs: number | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private lastError: QuorateClientError | undefined;
  private hasEnded = false;
  private readonly onAbort = (): void => this.stop();

  constructor(
    readonly id: bigint,
    known: KnownTtl | undefined,
    private readonly options: KeepAliveOptions,
    private readonly owner: LeaseOwner,
  ) {
    const nowMs = performance.now();
    this.ttlMs = known === undefined ? limits.clientLeaseFirstAnswerMs : known.ttlSeconds * 1_000;
    this.deadlineMs = (known?.grantedAtMs ?? nowMs) + this.ttlMs;
    this.nextAskMs = known === undefined ? nowMs : known.grantedAtMs + this.ttlMs / renewalsPerTtl;
    options.signal?.addEventListener("abort", this.onAbort);
    this.schedule();
  }

  /**
   * Aborted when the lease is lost: revoked, expired, or not renewed within its time. The reason is a
   * `LeaseLostError`. Stop at once what must not be done without the lease.
   */
  get lost(): AbortSignal {
    return this.losing.signal;
  }

  /** As the server last told. */
  get ttlSeconds(): number {
    return this.ttlMs / 1_000;
  }

  /** Keeps it alive no longer; it lives on for its TTL. `lost` stays as it is. */
  stop(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    clearTimeout(this.timer);
    this.options.signal?.removeEventListener("abort", this.onAbort);
    this.owner.ended(this);
  }

  /** Ends it now, with all keys attached to it. A lease that is no more is no error. */
  async revoke(): Promise<void> {
    this.stop();
    try {
      await this.owner.revoke(this.id);
    } catch (error) {
      if (!isClientError(error, GrpcCode.NotFound)) throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.revoke();
  }

  /** Asks for a renewal now: there is a new stream, on which nothing was asked yet. */
  ask(): void {
    if (this.hasEnded) return;
    const isSent = this.owner.send(this.id);
    this.askedAtMs = isSent ? performance.now() : undefined;
    // Without a stream there is nothing to do but to wait for one, or for the end.
    if (!isSent) this.nextAskMs = Number.POSITIVE_INFINITY;
    this.schedule();
  }

  answered(response: LeaseKeepAliveResponse): void {
    const askedAtMs = this.askedAtMs;
    if (this.hasEnded || askedAtMs === undefined) return;
    if (response.TTL <= 0n) {
      const text = `lease ${this.id.toString(16)} expired or was revoked`;
      this.lose(new LeaseLostError(GrpcCode.NotFound, text, this.id, undefined));
      return;
    }
    this.ttlMs = Number(response.TTL) * 1_000;
    this.deadlineMs = askedAtMs + this.ttlMs;
    this.nextAskMs = askedAtMs + this.ttlMs / renewalsPerTtl;
    this.askedAtMs = undefined;
    this.schedule();
    this.options.onRenewed?.(response);
  }

  /** The stream broke, with what was asked on it. */
  interrupted(error: QuorateClientError): void {
    this.lastError = error;
    this.askedAtMs = undefined;
    this.nextAskMs = Number.POSITIVE_INFINITY;
    this.schedule();
  }

  lose(error: LeaseLostError): void {
    if (this.hasEnded) return;
    this.stop();
    this.losing.abort(error);
  }

  private schedule(): void {
    if (this.hasEnded) return;
    clearTimeout(this.timer);
    const dueMs = this.askedAtMs === undefined ? this.nextAskMs : this.answerDueMs(this.askedAtMs);
    const waitMs = Math.min(dueMs, this.deadlineMs) - performance.now();
    this.timer = setTimeout(() => this.act(), Math.min(Math.max(0, waitMs), timerMsMax));
  }

  private answerDueMs(askedAtMs: number): number {
    return askedAtMs + this.ttlMs / renewalsPerTtl;
  }

  private act(): void {
    const nowMs = performance.now();
    if (nowMs >= this.deadlineMs) {
      const text = `lease ${this.id.toString(16)} was not renewed within its TTL`;
      this.lose(new LeaseLostError(GrpcCode.DeadlineExceeded, text, this.id, this.lastError));
      return;
    }
    if (this.askedAtMs === undefined) {
      if (nowMs >= this.nextAskMs) this.ask();
      else this.schedule();
      return;
    }
    if (nowMs >= this.answerDueMs(this.askedAtMs)) {
      // No answer in time: the member may be stuck, or cut off from its leader.
      this.askedAtMs = nowMs;
      this.owner.giveUpStream();
    }
    this.schedule();
  }
}
