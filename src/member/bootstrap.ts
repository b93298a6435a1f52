/**
 * The beginning of a log: a founding member writes one configuration change for each founder, as if a leader of
 * term 1 had committed them. Every founder writes the same entries, so their logs agree (etcd does just this).
 */
import type { MemberId } from "../base/brand.js";
import { encodeChangeContext } from "../membership/member-record.js";
import type { LogAppend } from "../ports/raft-log.js";
import { encodeConfChange } from "../raft/codec.js";
import { ConfChangeType } from "../raft/conf-change.js";
import { type Entry, EntryType } from "../raft/types.js";

export interface Founder {
  readonly id: MemberId;
  readonly name: string;
  /** Sorted. */
  readonly peerUrls: readonly string[];
}

const foundingTerm = 1;

export function foundingLog(founders: readonly Founder[]): LogAppend {
  const sorted = [...founders].sort((a, b) => (a.id < b.id ? -1 : 1));
  const entries = sorted.map((founder, at): Entry => {
    const context = { peerUrls: founder.peerUrls, isLearner: false, name: founder.name, isPromote: false };
    return {
      term: foundingTerm,
      index: at + 1,
      type: EntryType.ConfChange,
      data: encodeConfChange({
        version: 1,
        id: 0n,
        type: ConfChangeType.AddNode,
        nodeId: founder.id,
        context: encodeChangeContext(founder.id, context),
      }),
    };
  });
  return { entries, hardState: { term: foundingTerm, vote: 0n, commit: entries.length } };
}
