/**
 * The vocabulary of Raft as it is stored and sent (package raftpb): what ports, storage and transport share
 * with the state machine.
 */
import type { Index, MemberId, Term } from "../base/brand.js";

export const EntryType = { Normal: 0, ConfChange: 1, ConfChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/** One entry of the log. `data` is never written to after it was proposed or read. */
export interface Entry {
  readonly term: Term;
  readonly index: Index;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** What must be durable before any message that depends on it is sent. Raft thesis, figure 3.1. */
export interface HardState {
  readonly term: Term;
  /** 0 when this member gave its vote to nobody in `term`. */
  readonly vote: MemberId;
  readonly commit: Index;
}

/** The configuration in force, possibly joint. Raft thesis, section 4.3. Lists are in ascending order. */
export interface ConfState {
  readonly voters: readonly MemberId[];
  readonly learners: readonly MemberId[];
  /** Voters of the outgoing half of a joint configuration; empty when not joint. */
  readonly votersOutgoing: readonly MemberId[];
  /** Become learners when the joint configuration is left. */
  readonly learnersNext: readonly MemberId[];
  readonly autoLeave: boolean;
}

export interface SnapshotMetadata {
  readonly confState: ConfState;
  readonly index: Index;
  readonly term: Term;
}

/** `data` is the application's: here it names the store image that travels beside the message. */
export interface Snapshot {
  readonly data: Uint8Array;
  readonly metadata: SnapshotMetadata;
}

export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};
