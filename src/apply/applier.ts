/**
 * One committed entry in, effects on the in-memory state and an answer out. Synchronous and deterministic: every
 * member that applies the same entries holds the same state, and gives the same answer or the same error.
 *
 * What is absent here: time, randomness, I/O, and knowledge of who waits for the answer.
 */
import type { LeaseId, RequestId, Revision } from "../base/brand.js";
import { StoreError, storeError } from "../base/errors.js";
import { ProtoError } from "../base/protowire.js";
import { AlarmRequest, AlarmRequest_AlarmAction, AlarmType } from "../gen/etcdserver.js";
import { ClusterMemberAttrSetRequest, ClusterVersionSetRequest } from "../gen/membership.js";
import type { Lessor } from "../lease/lessor.js";
import type { Membership } from "../membership/membership.js";
import {
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeTxnRequest,
} from "../mvcc/codec.js";
import type { TxnRequest } from "../mvcc/requests.js";
import type { MvccStore } from "../mvcc/store.js";
import type { AlarmKind, AlarmRecord, Alarms } from "./alarms.js";
import { decodeLeaseCheckpoints, decodeLeaseGrant, decodeLeaseId } from "./lease-requests.js";
import { decodeRaftRequest, type RaftRequest, RequestField } from "./raft-request.js";
import type { ApplyResult } from "./result.js";

export interface AppliedRequest {
  /** 0 where the entry was nobody's request. */
  readonly id: RequestId;
  /** One of RequestField, or a number of a newer version; 0 for a change of the configuration. */
  readonly field: number;
  /** An error is an answer too: it is the same on every member, and the entry counts as applied. */
  readonly outcome: ApplyResult | StoreError;
}

/** Is told of what is applied: what applies has no clock, so whoever has one measures it here. */
export interface ApplyObserver {
  /** Entries are applied from now on, one after the other. */
  begin(): void;
  /** The next of them was `request`, and is applied. */
  applied(request: AppliedRequest): void;
}

export interface ApplierDeps {
  readonly store: MvccStore;
  readonly membership: Membership;
  readonly alarms: Alarms;
  readonly leases: Lessor;
}

export class Applier {
  constructor(private readonly deps: ApplierDeps) {}

  /** Applies the data of a normal entry. Empty data is a new leader's first entry and changes nothing. */
  apply(data: Uint8Array): AppliedRequest | undefined {
    if (data.length === 0) return undefined;
    let request: RaftRequest;
    try {
      request = decodeRaftRequest(data);
    } catch (error) {
      // An entry that no member can read changes nothing on any member; stopping would stop the whole cluster.
      if (error instanceof ProtoError) return undefined;
      throw error;
    }
    return { id: request.id, field: request.field, outcome: this.outcomeOf(request) };
  }

  private outcomeOf(request: RaftRequest): ApplyResult | StoreError {
    try {
      return this.dispatch(request);
    } catch (error) {
      if (error instanceof StoreError) return error;
      if (error instanceof ProtoError) {
        return new StoreError({
          code: "Other",
          status: "InvalidArgument",
          text: `etcdserver: ${error.message}`,
        });
      }
      throw error;
    }
  }

  private dispatch({ field, body }: RaftRequest): ApplyResult {
    switch (field) {
      case RequestField.Put:
        this.refuseWhileAlarmed(true);
        return { kind: "put", put: this.deps.store.put(decodePutRequest(body)) };
      case RequestField.DeleteRange:
        this.refuseWhileAlarmed(false);
        return {
          kind: "deleteRange",
          deleteRange: this.deps.store.deleteRange(decodeDeleteRangeRequest(body)),
        };
      case RequestField.Txn: {
        const request = decodeTxnRequest(body);
        this.refuseWhileAlarmed(writesKeys(request));
        return { kind: "txn", txn: this.deps.store.txn(request) };
      }
      case RequestField.Compaction: {
        this.refuseWhileAlarmed(false);
        this.deps.store.compact(decodeCompactionRequest(body).revision);
        return { kind: "compaction", revision: this.deps.store.revision };
      }
      case RequestField.LeaseGrant:
        return this.grantLease(body);
      case RequestField.LeaseRevoke:
        return { kind: "leaseRevoke", revision: this.revokeLease(decodeLeaseId(body)) };
      case RequestField.LeaseCheckpoint:
        for (const { id, remainingSeconds } of decodeLeaseCheckpoints(body))
          this.deps.leases.checkpoint(id, remainingSeconds);
        return { kind: "done" };
      case RequestField.Alarm:
        return { kind: "alarm", alarms: this.applyAlarm(AlarmRequest.decode(body)) };
      case RequestField.ClusterMemberAttrSet: {
        const request = ClusterMemberAttrSetRequest.decode(body);
        const attributes = request.memberAttributes;
        if (attributes !== undefined) {
          this.deps.membership.setAttributes(request.memberID, attributes.name, attributes.clientUrls);
        }
        return { kind: "done" };
      }
      case RequestField.ClusterVersionSet:
        this.deps.membership.setClusterVersion(ClusterVersionSetRequest.decode(body).ver);
        return { kind: "done" };
      default:
        throw storeError("NotCapable");
    }
  }

  private grantLease(body: Uint8Array): ApplyResult {
    this.refuseWhileAlarmed(true);
    const { id, ttlSeconds } = decodeLeaseGrant(body);
    const lease = this.deps.leases.grant(id, ttlSeconds);
    return { kind: "leaseGrant", id: lease.id, ttlSeconds: lease.ttlSeconds };
  }

  /** The lease goes with all its keys, in one revision. */
  private revokeLease(id: LeaseId): Revision {
    const { leases, store } = this.deps;
    const lease = leases.find(id);
    if (lease === undefined) throw storeError("LeaseNotFound");
    try {
      this.refuseWhileAlarmed(false);
    } catch (error) {
      leases.timing.revokeFailed(lease);
      throw error;
    }
    const revision = store.deleteKeys(lease.keys);
    leases.remove(lease);
    return revision;
  }

  /** With CORRUPT nothing is changed any more; with NOSPACE nothing is added. */
  private refuseWhileAlarmed(adds: boolean): void {
    if (this.deps.alarms.isActive("CORRUPT")) throw storeError("Corrupt");
    if (adds && this.deps.alarms.isActive("NOSPACE")) throw storeError("NoSpace");
  }

  private applyAlarm(request: AlarmRequest): readonly AlarmRecord[] {
    const { alarms } = this.deps;
    const kind = alarmKind(request.alarm);
    if (request.action === AlarmRequest_AlarmAction.GET) return alarms.list(kind);
    if (kind === undefined) return [];
    const record: AlarmRecord = { memberId: request.memberID, alarm: kind };
    if (request.action === AlarmRequest_AlarmAction.ACTIVATE) {
      alarms.activate(record);
      return [record];
    }
    return alarms.deactivate(record) ? [record] : [];
  }
}

function alarmKind(type: AlarmType): AlarmKind | undefined {
  if (type === AlarmType.NOSPACE) return "NOSPACE";
  return type === AlarmType.CORRUPT ? "CORRUPT" : undefined;
}

function writesKeys(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].some(
    (op) => op.kind === "put" || (op.kind === "txn" && writesKeys(op.request)),
  );
}
