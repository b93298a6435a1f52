/** The Lease service, and leases that are kept alive on one stream for all. */
import { limits } from "../base/limits.js";
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "../gen/etcdserver.js";
import type { IntegerLike } from "./bytes.js";
import type { Connection } from "./connection.js";
import { closedText, GrpcCode, isClientError, QuorateClientError } from "./errors.js";
import {
  type KeepAliveOptions,
  KeptLease,
  type KnownTtl,
  LeaseLostError,
  type LeaseOwner,
} from "./kept-lease.js";
import { LastingStream } from "./lasting-stream.js";
import { clientMethod } from "./method.js";
import type { CallOptions } from "./options.js";

const service = "/etcdserverpb.Lease";
const grantMethod = clientMethod(`${service}/LeaseGrant`, "write", LeaseGrantRequest, LeaseGrantResponse);
const revokeMethod = clientMethod(`${service}/LeaseRevoke`, "write", LeaseRevokeRequest, LeaseRevokeResponse);
const keepAliveMethod = clientMethod(
  `${service}/LeaseKeepAlive`,
  "read",
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
);
const timeToLiveMethod = clientMethod(
  `${service}/LeaseTimeToLive`,
  "read",
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
);
const listMethod = clientMethod(`${service}/LeaseLeases`, "read", LeaseLeasesRequest, LeaseLeasesResponse);

export interface GrantOptions extends CallOptions {
  /** Default: the server chooses one. */
  readonly id?: IntegerLike | undefined;
}

export class Leases {
  private readonly keeper: LeaseKeeper;

  constructor(private readonly connection: Connection) {
    this.keeper = new LeaseKeeper(connection, (id) => this.revoke(id));
  }

  /**
   * Makes a lease of so many whole seconds; the server may give more, see `TTL` of the answer. Never sent twice.
   * Errors: AlreadyExists or FailedPrecondition for an id in use, OutOfRange above 9,000,000,000 s.
   */
  grant(ttlSeconds: IntegerLike, options: GrantOptions = {}): Promise<LeaseGrantResponse> {
    const request = { TTL: BigInt(ttlSeconds), ID: BigInt(options.id ?? 0) };
    return this.connection.unary(grantMethod, request, options);
  }

  /** Ends a lease and deletes all keys attached to it, in one revision. Errors: LeaseNotFound. */
  revoke(id: bigint, options: CallOptions = {}): Promise<LeaseRevokeResponse> {
    return this.connection.unary(revokeMethod, { ID: id }, options);
  }

  /** `TTL` of the answer is −1 for a lease that is not, or no more. `keys`: also which keys are attached. */
  timeToLive(
    id: bigint,
    options: CallOptions & { readonly keys?: boolean | undefined } = {},
  ): Promise<LeaseTimeToLiveResponse> {
    return this.connection.unary(timeToLiveMethod, { ID: id, keys: options.keys === true }, options);
  }

  /** All leases that there are. */
  list(options: CallOptions = {}): Promise<LeaseLeasesResponse> {
    return this.connection.unary(listMethod, {}, options);
  }

  /** Renews a lease once. Errors: LeaseNotFound. */
  async keepAliveOnce(id: bigint, options: CallOptions = {}): Promise<LeaseKeepAliveResponse> {
    const bounded = { timeoutMs: this.connection.callMs, ...options };
    for await (const response of this.connection.serverStream(keepAliveMethod, { ID: id }, bounded)) {
      if (response.TTL > 0n) return response;
      break;
    }
    const text = "etcdserver: requested lease not found";
    throw new QuorateClientError(GrpcCode.NotFound, text, false, undefined);
  }

  /** Makes a lease and keeps it alive until it is revoked, stopped or lost. Errors: as of `grant`. */
  async keep(ttlSeconds: IntegerLike, options: GrantOptions & KeepAliveOptions = {}): Promise<KeptLease> {
    const grantedAtMs = performance.now();
    const { ID, TTL } = await this.grant(ttlSeconds, options);
    return this.keeper.add(ID, { ttlSeconds: Number(TTL), grantedAtMs }, options);
  }

  /**
   * Keeps a lease alive that was made elsewhere; it is asked for at once. Throws `QuorateClientError` AlreadyExists
   * for one that this client keeps alive already.
   */
  keepAlive(id: bigint, options: KeepAliveOptions = {}): KeptLease {
    return this.keeper.add(id, undefined, options);
  }
}

class LeaseKeeper implements LeaseOwner {
  private readonly leases = new Map<bigint, KeptLease>();
  private readonly stream: LastingStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;
  private restartTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    connection: Connection,
    readonly revoke: LeaseOwner["revoke"],
  ) {
    this.stream = new LastingStream(connection, keepAliveMethod, {
      onOpen: () => this.eachLease((lease) => lease.ask()),
      onMessage: (response) => this.leases.get(response.ID)?.answered(response),
      onBroken: (error) => this.eachLease((lease) => lease.interrupted(error)),
      onFailed: (error) => this.failed(error),
    });
  }

  add(id: bigint, known: KnownTtl | undefined, options: KeepAliveOptions): KeptLease {
    if (this.leases.has(id)) {
      const text = `lease ${id.toString(16)} is kept alive by this client already`;
      throw new QuorateClientError(GrpcCode.AlreadyExists, text, false, undefined);
    }
    const lease = new KeptLease(id, known, options, this);
    this.leases.set(id, lease);
    this.stream.start();
    if (options.signal?.aborted === true) lease.stop();
    return lease;
  }

  send(id: bigint): boolean {
    return this.stream.send({ ID: id });
  }

  giveUpStream(): void {
    this.stream.giveUp();
  }

  ended(lease: KeptLease): void {
    this.leases.delete(lease.id);
    if (this.leases.size > 0) return;
    clearTimeout(this.restartTimer);
    this.stream.stop();
  }

  /** Whatever the reason: a lease that lives on the server is tried to be kept until its time is over. */
  private failed(error: QuorateClientError): void {
    if (isClientError(error, GrpcCode.Canceled, closedText)) {
      this.eachLease((lease) => lease.lose(new LeaseLostError(error.code, error.message, lease.id, error)));
      return;
    }
    this.eachLease((lease) => lease.interrupted(error));
    this.restartTimer = setTimeout(() => this.stream.start(), limits.clientReopenPauseMsMax);
  }

  private eachLease(act: (lease: KeptLease) => void): void {
    for (const lease of [...this.leases.values()]) act(lease);
  }
}
