/** What a member's state machine is told at start. Nothing of it changes afterwards. */
import { assert } from "../base/assert.js";
import type { Index, MemberId } from "../base/brand.js";
import type { Random } from "../base/prng.js";
import type { MemoryLog } from "./log-store.js";
import { isLocalTarget } from "./message.js";

export interface RaftConfig {
  readonly id: MemberId;
  /** Without a sign of a leader for this many ticks, up to twice as many, a member stands for election. */
  readonly electionTicks: number;
  /** A leader sends heartbeats at this interval; well below `electionTicks`. */
  readonly heartbeatTicks: number;
  /** Filled with what was recovered. */
  readonly log: MemoryLog;
  /** The last entry that the store holds already; 0 or the snapshot's index for none after it. */
  readonly applied: Index;
  /**
   * True: storage work is asked for by MsgStorageAppend and MsgStorageApply among the messages, and done when
   * their responses are stepped; several may be on their way. False: a Ready is worked off, then `advance` called.
   */
  readonly asyncStorageWrites: boolean;
  /** Ask whether an election could be won before raising the term. Raft thesis, section 9.6. */
  readonly preVote: boolean;
  /** A leader that hears from no quorum for an election timeout steps down; others keep a leader's lease. */
  readonly checkQuorum: boolean;
  /** A leader that was removed or became a learner steps down at once. */
  readonly stepDownOnRemoval: boolean;
  /**
   * How reads are confirmed. "safe": by a round of heartbeats. "leaseBased": by the leader's lease, which trusts
   * the clocks and needs `checkQuorum`. Raft thesis, section 6.4.
   */
  readonly readOnlyOption: "safe" | "leaseBased";
  /** Bytes of entries in one append message; Infinity for no bound, 0 for one entry each. */
  readonly appendMessageBytesMax: number;
  /** Bytes of committed entries handed out and not yet applied. */
  readonly committedBytesMax: number;
  /** Bytes of payload in a leader's uncommitted tail; further proposals are dropped. */
  readonly uncommittedBytesMax: number;
  /** Append messages on their way to one member. */
  readonly inflightMessagesMax: number;
  /** Bytes on their way to one member; at least `appendMessageBytesMax`. */
  readonly inflightBytesMax: number;
  /** Followers drop proposals instead of passing them to the leader. */
  readonly disableProposalForwarding: boolean;
  /** Membership changes enter the log unchecked: only for an owner that serialises and checks them itself. */
  readonly disableConfChangeValidation: boolean;
  readonly random: Random;
  /** Told in words of changes of role, elections, configurations and snapshots; not of ordinary traffic. */
  readonly trace?: ((text: string) => void) | undefined;
}

/** Asserts that the values make sense together: flags were checked before. */
export function checkConfig(config: RaftConfig): void {
  assert(config.id !== 0n && !isLocalTarget(config.id), "the id names a member");
  assert(config.heartbeatTicks > 0, "heartbeats are at least a tick apart");
  assert(config.electionTicks > config.heartbeatTicks, "an election timeout outlasts a heartbeat interval");
  assert(config.inflightMessagesMax > 0, "one message may be on its way");
  assert(config.committedBytesMax > 0, "something may be applied");
  assert(config.inflightBytesMax >= config.appendMessageBytesMax, "the window has room for a message");
  assert(
    config.readOnlyOption === "safe" || config.checkQuorum,
    "a lease for reads needs the quorum checked",
  );
}
