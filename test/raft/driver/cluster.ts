/** A cluster of state machines with their storage, worked step by step as a script says. */
import type { Index, MemberId } from "../../../src/base/brand.js";
import { concatBytes, emptyBytes } from "../../../src/base/bytes.js";
import { seededRandom } from "../../../src/base/prng.js";
import { entryConfChange } from "../../../src/raft/codec.js";
import { describeEntries, describeMessage, describeReady } from "../../../src/raft/describe.js";
import { MemoryLog } from "../../../src/raft/log-store.js";
import type {
  Message,
  MessageType,
  StorageAppendMessage,
  StorageApplyMessage,
} from "../../../src/raft/message.js";
import { isLocalTarget } from "../../../src/raft/message.js";
import type { RaftConfig, StepOutcome } from "../../../src/raft/node.js";
import { RaftNode } from "../../../src/raft/node.js";
import type { Entry, HardState, Snapshot } from "../../../src/raft/types.js";
import { ScriptError } from "./confchange.js";
import { Output } from "./output.js";

/** Gives followers the state of the application as of now, not as of when the log was cut. */
class HistoryLog extends MemoryLog {
  constructor(readonly history: Snapshot[]) {
    super();
  }

  override snapshot(): Snapshot | undefined {
    return this.history.at(-1);
  }
}

export interface Member {
  readonly node: RaftNode;
  readonly log: HistoryLog;
  /** What the member's disk holds, which may be ahead of what the state machine has heard of. */
  readonly disk: MemoryLog;
  readonly config: RaftConfig;
  readonly appendWork: StorageAppendMessage[];
  readonly applyWork: StorageApplyMessage[];
}

export const defaultConfig = {
  electionTicks: 3,
  heartbeatTicks: 1,
  applied: 0,
  asyncStorageWrites: false,
  preVote: false,
  checkQuorum: false,
  stepDownOnRemoval: false,
  readOnlyOption: "safe",
  appendMessageBytesMax: Number.POSITIVE_INFINITY,
  committedBytesMax: Number.POSITIVE_INFINITY,
  uncommittedBytesMax: Number.POSITIVE_INFINITY,
  inflightMessagesMax: 2 ** 31 - 1,
  inflightBytesMax: Number.POSITIVE_INFINITY,
  disableProposalForwarding: false,
  disableConfChangeValidation: false,
} as const satisfies Omit<RaftConfig, "id" | "log" | "random">;

export type MemberConfig = Omit<RaftConfig, "id" | "log" | "random">;

const outcomeTexts = {
  dropped: "raft proposal dropped",
  localMessage: "raft: cannot step raft local message",
  unknownPeer: "raft: cannot step as peer not found",
} as const;

/** The error text of an outcome; undefined when it is none. */
export function outcomeError(outcome: StepOutcome): string | undefined {
  if (outcome.kind === "accepted") return undefined;
  return outcome.kind === "dropped" ? outcomeTexts.dropped : outcomeTexts[outcome.reason];
}

export class Cluster {
  readonly members: Member[] = [];
  readonly output = new Output();
  private messages: Message[] = [];

  member(id: number): Member {
    const member = this.members[id - 1];
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  queue(message: Message): void {
    this.messages.push(message);
  }

  /** Adds a member that starts from `snapshot`, empty for one that starts from nothing. */
  addMember(config: MemberConfig, snapshot: Snapshot, isBootstrap: boolean): void {
    const id = this.members.length + 1;
    const log = new HistoryLog([snapshot]);
    const disk = new MemoryLog();
    if (isBootstrap) {
      log.applySnapshot(snapshot);
      disk.applySnapshot(snapshot);
    }
    const whole: RaftConfig = { ...config, id: BigInt(id), log, random: seededRandom(id) };
    this.members.push({ node: new RaftNode(whole), log, disk, config: whole, appendWork: [], applyWork: [] });
  }

  processReady(id: number): void {
    const { node, config, appendWork, applyWork } = this.member(id);
    const ready = node.ready();
    this.output.write(describeReady(ready));
    if (!config.asyncStorageWrites) {
      this.append(id, ready);
      this.apply(id, ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (message.type === "MsgStorageAppend") appendWork.push(message);
      else if (message.type === "MsgStorageApply") applyWork.push(message);
      else this.messages.push(message);
    }
    if (!config.asyncStorageWrites) node.advance();
  }

  processAppend(id: number): void {
    const work = this.member(id).appendWork.shift();
    if (work === undefined) {
      this.output.write("no append work to perform");
      return;
    }
    this.output.write(`Processing:\n${describeMessage({ ...work, responses: [] })}\n`);
    this.append(id, work);
    this.respond(work.responses);
  }

  processApply(id: number): void {
    const work = this.member(id).applyWork.shift();
    if (work === undefined) {
      this.output.write("no apply work to perform");
      return;
    }
    this.output.write(`Processing:\n${describeMessage({ ...work, responses: [] })}\n`);
    this.apply(id, work.entries);
    this.respond(work.responses);
  }

  private respond(responses: readonly Message[]): void {
    this.output.write("Responses:\n");
    for (const response of responses) this.output.write(`${describeMessage(response)}\n`);
    this.messages.push(...responses);
  }

  private append(
    id: number,
    work: {
      readonly hardState: HardState | undefined;
      readonly entries: readonly Entry[];
      readonly snapshot: Snapshot | undefined;
    },
  ): void {
    const { disk } = this.member(id);
    if (work.hardState !== undefined) disk.setHardState(work.hardState);
    if (work.snapshot === undefined) {
      disk.append(work.entries);
      return;
    }
    if (work.entries.length > 0) {
      throw new ScriptError("can't apply snapshot and entries at the same time");
    }
    if (!disk.applySnapshot(work.snapshot)) {
      throw new ScriptError("requested index is older than the existing snapshot");
    }
  }

  /** The application: it strings together the data of all entries. */
  private apply(id: number, entries: readonly Entry[]): void {
    const { node, log } = this.member(id);
    for (const entry of entries) {
      const before = log.history.at(-1)!;
      const change = entryConfChange(entry);
      const confState = change === undefined ? before.metadata.confState : node.applyConfChange(change);
      const data = concatBytes([before.data, change === undefined ? entry.data : change.context]);
      log.history.push({ data, metadata: { index: entry.index, term: entry.term, confState } });
    }
  }

  /** Delivers or drops what waits for one member; the number of messages. */
  deliver(
    to: MemberId,
    options: { readonly drop: boolean; readonly type?: MessageType | undefined },
  ): number {
    const chosen = this.waiting(to, options);
    this.messages = this.messages.filter((message) => !chosen.includes(message));
    for (const message of chosen) {
      this.output.write(`${options.drop ? "dropped: " : ""}${describeMessage(message)}\n`);
      if (options.drop) continue;
      const error = outcomeError(this.member(Number(to)).node.step(message));
      if (error !== undefined) this.output.write(`${error}\n`);
    }
    return chosen.length;
  }

  private waiting(
    to: MemberId,
    { drop, type }: { readonly drop: boolean; readonly type?: MessageType | undefined },
  ): Message[] {
    // Messages within a member can not be lost.
    const mayTake = (message: Message): boolean =>
      !drop || !(message.from === message.to || isLocalTarget(message.from) || isLocalTarget(message.to));
    return this.messages.filter(
      (message) => message.to === to && mayTake(message) && (type === undefined || message.type === type),
    );
  }

  compact(id: number, index: Index): void {
    const { disk, log } = this.member(id);
    if (!disk.compact(index)) throw new ScriptError("requested index is unavailable due to compaction");
    log.compact(index);
    this.printLog(id);
  }

  printLog(id: number): void {
    const { disk } = this.member(id);
    const [first, last] = [disk.firstIndex(), disk.lastIndex()];
    if (last < first) this.output.write(`log is empty: first index=${first}, last index=${last}`);
    else this.output.write(describeEntries(disk.entries(first, last + 1, Number.POSITIVE_INFINITY)));
  }

  sendSnapshot(from: number, to: number): void {
    const { node, log } = this.member(from);
    const snapshot = log.snapshot() ?? {
      data: emptyBytes,
      metadata: { index: 0, term: 0, confState: node.status().config },
    };
    const address = { from: BigInt(from), to: BigInt(to), term: node.status().term };
    const message: Message = { type: "MsgSnap", ...address, snapshot };
    this.messages.push(message);
    this.output.write(describeMessage(message));
  }

  /** Works everything off among `ids` until nothing is left to do. */
  stabilize(ids: readonly number[]): void {
    for (let busy = true; busy; ) {
      busy = false;
      const each = (isBusy: (id: number) => boolean, header: string, work: (id: number) => void): void => {
        for (const id of ids) {
          if (!isBusy(id)) continue;
          busy = true;
          this.output.write(`> ${id} ${header}\n`);
          work(id);
        }
      };
      each(
        (id) => this.member(id).node.hasReady(),
        "handling Ready",
        (id) => this.output.indented(() => this.processReady(id)),
      );
      each(
        (id) => this.waiting(BigInt(id), { drop: false }).length > 0,
        "receiving messages",
        (id) => this.output.indented(() => this.deliver(BigInt(id), { drop: false })),
      );
      each(
        (id) => this.member(id).appendWork.length > 0,
        "processing append thread",
        (id) => {
          while (this.member(id).appendWork.length > 0) this.output.indented(() => this.processAppend(id));
        },
      );
      each(
        (id) => this.member(id).applyWork.length > 0,
        "processing apply thread",
        (id) => {
          while (this.member(id).applyWork.length > 0) this.output.indented(() => this.processApply(id));
        },
      );
    }
  }
}
