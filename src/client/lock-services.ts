/** The Lock and Election services: locks and elections that the server carries out (etcd's v3lock and v3election). */
import {
  CampaignRequest,
  CampaignResponse,
  type LeaderKey,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from "../gen/election.js";
import { LockRequest, LockResponse, UnlockRequest, UnlockResponse } from "../gen/lock.js";
import { type BytesLike, type IntegerLike, toBytes } from "./bytes.js";
import type { Connection } from "./connection.js";
import { clientMethod } from "./method.js";
import type { CallOptions } from "./options.js";

const lockPath = "/v3lockpb.Lock";
const lockMethod = clientMethod(`${lockPath}/Lock`, "write", LockRequest, LockResponse);
const unlockMethod = clientMethod(`${lockPath}/Unlock`, "write", UnlockRequest, UnlockResponse);

const electionPath = "/v3electionpb.Election";
const campaignMethod = clientMethod(`${electionPath}/Campaign`, "write", CampaignRequest, CampaignResponse);
const proclaimMethod = clientMethod(`${electionPath}/Proclaim`, "write", ProclaimRequest, ProclaimResponse);
const leaderMethod = clientMethod(`${electionPath}/Leader`, "read", LeaderRequest, LeaderResponse);
const observeMethod = clientMethod(`${electionPath}/Observe`, "read", LeaderRequest, LeaderResponse);
const resignMethod = clientMethod(`${electionPath}/Resign`, "write", ResignRequest, ResignResponse);

/** Waiting is the point of these calls, so that they have no deadline unless one is given. */
function waiting(options: CallOptions): CallOptions {
  return { timeoutMs: Number.POSITIVE_INFINITY, ...options };
}

export class LockService {
  constructor(private readonly connection: Connection) {}

  /**
   * Waits until the lock `name` is held by the lease. The `key` of the answer is there as long as it is: compare its
   * create revision in transactions that must not happen without the lock. Ends with the lease.
   */
  lock(name: BytesLike, lease: IntegerLike, options: CallOptions = {}): Promise<LockResponse> {
    const request = { name: toBytes(name), lease: BigInt(lease) };
    return this.connection.unary(lockMethod, request, waiting(options));
  }

  /** Gives up what `lock` answered. */
  unlock(key: BytesLike, options: CallOptions = {}): Promise<UnlockResponse> {
    return this.connection.unary(unlockMethod, { key: toBytes(key) }, options);
  }
}

export class ElectionService {
  constructor(private readonly connection: Connection) {}

  /** Waits until the lease leads the election `name` with `value`. `leader` of the answer is for the calls below. */
  campaign(
    name: BytesLike,
    lease: IntegerLike,
    value: BytesLike,
    options: CallOptions = {},
  ): Promise<CampaignResponse> {
    const request = { name: toBytes(name), lease: BigInt(lease), value: toBytes(value) };
    return this.connection.unary(campaignMethod, request, waiting(options));
  }

  /** Changes the leader's value. Errors: "election: not leader". */
  proclaim(leader: LeaderKey, value: BytesLike, options: CallOptions = {}): Promise<ProclaimResponse> {
    return this.connection.unary(proclaimMethod, { leader, value: toBytes(value) }, options);
  }

  /** Who leads now. Errors: "election: no leader". */
  leader(name: BytesLike, options: CallOptions = {}): Promise<LeaderResponse> {
    return this.connection.unary(leaderMethod, { name: toBytes(name) }, options);
  }

  /** The leader's value now, and at each change of value or leader. */
  observe(name: BytesLike, options: CallOptions = {}): AsyncIterable<LeaderResponse> {
    return this.connection.serverStream(observeMethod, { name: toBytes(name) }, options);
  }

  /** Gives leadership up. */
  resign(leader: LeaderKey, options: CallOptions = {}): Promise<ResignResponse> {
    return this.connection.unary(resignMethod, { leader }, options);
  }
}
