/**
 * Everything that the log builds, over one durable store: keys, leases, members, alarms. Replaced as a whole when a
 * snapshot is installed.
 */

import { Alarms } from "../../apply/alarms.js";
import { Applier } from "../../apply/applier.js";
import type { Index, Revision } from "../../base/brand.js";
import { ProtoReader, ProtoWriter } from "../../base/protowire.js";
import type { StateRecords } from "../../base/state-records.js";
import type { Lessor } from "../../lease/lessor.js";
import { Membership } from "../../membership/membership.js";
import type { MvccStore } from "../../mvcc/store.js";
import type { AppliedMark } from "../../ports/revision-store.js";
import { decodeConfState, encodeConfState } from "../../raft/codec.js";
import { type ConfState, emptyConfState } from "../../raft/types.js";

export const confStateKey = "raft/confState";
export const revisionKey = "mvcc/revision";
/** Compaction that was decided; the space is freed behind. */
export const scheduledCompactionKey = "mvcc/scheduledCompaction";
/** Compaction whose space is free. */
export const finishedCompactionKey = "mvcc/finishedCompaction";

/** What the core needs of the durable store: see ports/revision-store.ts. */
export interface StateStore extends StateRecords {
  readonly durableApplied: AppliedMark;
  readonly pendingBytes: number;
  seal(applied: AppliedMark): void;
}

export class ReplicatedState {
  readonly membership: Membership;
  readonly alarms: Alarms;
  readonly applier: Applier;
  private configuration: ConfState;
  private configurationIndex: Index = 0;
  private sealedRevision: Revision;
  private sealedCompaction: Revision;

  constructor(
    options: { readonly learnersMax: number },
    readonly deps: { readonly records: StateStore; readonly mvcc: MvccStore; readonly leases: Lessor },
  ) {
    const { records, mvcc, leases } = deps;
    this.membership = new Membership(options, { records });
    this.alarms = new Alarms({ records });
    const { membership, alarms } = this;
    this.applier = new Applier({ store: mvcc, membership, alarms, leases });
    const stored = records.getState(confStateKey);
    this.configuration = stored === undefined ? emptyConfState : decodeConfState(stored);
    this.sealedRevision = mvcc.revision;
    this.sealedCompaction = mvcc.compactedRevision;
  }

  /** The Raft configuration after the last applied entry: part of the same durable unit as its effects. */
  get confState(): ConfState {
    return this.configuration;
  }

  /** Index of the entry that made it; 0 when it was so at start. An image of an earlier index has another one. */
  get confStateIndex(): Index {
    return this.configurationIndex;
  }

  setConfState(confState: ConfState, index: Index): void {
    this.configuration = confState;
    this.configurationIndex = index;
    this.deps.records.setState(confStateKey, encodeConfState(confState));
  }

  /** Ends a unit of applied entries; the revisions travel with it, so that neither can go back alone. */
  seal(applied: AppliedMark): void {
    const { records, mvcc } = this.deps;
    if (mvcc.revision !== this.sealedRevision) {
      this.sealedRevision = mvcc.revision;
      records.setState(revisionKey, encodeNumber(mvcc.revision));
    }
    if (mvcc.compactedRevision !== this.sealedCompaction) {
      this.sealedCompaction = mvcc.compactedRevision;
      records.setState(scheduledCompactionKey, encodeNumber(mvcc.compactedRevision));
    }
    records.seal(applied);
  }
}

/** A safe integer as a record of one varint field. */
export function encodeNumber(value: number): Uint8Array {
  return new ProtoWriter(16).int64Field(1, value).finish();
}

/** What `encodeNumber` wrote; `fallback` where there is no record. */
export function decodeNumber(bytes: Uint8Array | undefined, fallback: number): number {
  if (bytes === undefined) return fallback;
  const reader = new ProtoReader(bytes);
  if (!reader.more) return 0;
  reader.tag();
  return reader.int64();
}
