/**
 * A session: a lease that is kept alive, and with it everything that its owner holds. Locks and elections are keys
 * of its lease, so that they end with it. As Go's clientv3/concurrency has it.
 */
import type { KeptLease, QuorateClient } from "../client/index.js";

/** What Go's sessions have. */
const ttlSecondsDefault = 60;

export interface SessionOptions {
  /** Time after which the others go on when this process died. Default 60. */
  readonly ttlSeconds?: number | undefined;
  /** A lease to use instead of a new one; it then belongs to the session. */
  readonly lease?: KeptLease | undefined;
}

/** `await using session = await openSession(client)`: the end of the block gives up all that it holds. */
export class Session implements AsyncDisposable {
  constructor(
    readonly client: QuorateClient,
    private readonly kept: KeptLease,
  ) {}

  get lease(): bigint {
    return this.kept.id;
  }

  /** Aborted when the session is lost, with a `LeaseLostError`: what it held may already be another's. */
  get lost(): AbortSignal {
    return this.kept.lost;
  }

  /** Lets go of the lease without ending it: what it holds is held for its TTL. */
  orphan(): void {
    this.kept.stop();
  }

  /** Ends the lease, and with it all that the session holds. */
  close(): Promise<void> {
    return this.kept.revoke();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Errors: `QuorateClientError` where no lease can be had. */
export async function openSession(client: QuorateClient, options: SessionOptions = {}): Promise<Session> {
  const { ttlSeconds = ttlSecondsDefault } = options;
  return new Session(client, options.lease ?? (await client.leases.keep(ttlSeconds)));
}
