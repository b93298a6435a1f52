/** A cluster in memory whose messages arrive unless a test says otherwise, worked until nothing is left to do. */
import type { Index, MemberId, Term } from "../../src/base/brand.js";
import { emptyBytes, utf8Bytes } from "../../src/base/bytes.js";
import { seededRandom } from "../../src/base/prng.js";
import { entryConfChange } from "../../src/raft/codec.js";
import { MemoryLog } from "../../src/raft/log-store.js";
import type { Message } from "../../src/raft/message.js";
import type { RaftConfig, ReadState, Ready } from "../../src/raft/node.js";
import { RaftNode } from "../../src/raft/node.js";
import type { ConfState, Entry, HardState, Snapshot } from "../../src/raft/types.js";
import { EntryType } from "../../src/raft/types.js";

export type Options = Partial<Omit<RaftConfig, "id" | "log">>;

export const plainConfig: Omit<RaftConfig, "id" | "log"> = {
  electionTicks: 10,
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
  inflightMessagesMax: 256,
  inflightBytesMax: Number.POSITIVE_INFINITY,
  disableProposalForwarding: false,
  disableConfChangeValidation: false,
  random: seededRandom(1),
};

export function confState(voters: readonly MemberId[], more: Partial<ConfState> = {}): ConfState {
  return { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false, ...more };
}

export function entry(term: Term, index: Index, text = ""): Entry {
  return { term, index, type: EntryType.Normal, data: text === "" ? emptyBytes : utf8Bytes(text) };
}

export function snapshotAt(index: Index, term: Term, members: ConfState): Snapshot {
  return { data: emptyBytes, metadata: { index, term, confState: members } };
}

/** A log with members from index 0 on, that holds entries of the given terms from index 1 on. */
export function logOf(members: ConfState, terms: readonly Term[] = [], hardState?: HardState): MemoryLog {
  const log = new MemoryLog();
  log.applySnapshot(snapshotAt(0, 0, members));
  log.append(terms.map((term, at) => entry(term, at + 1, `${term}`)));
  if (hardState !== undefined) log.setHardState(hardState);
  return log;
}

export const payload = (text: string): Uint8Array[] => [utf8Bytes(text)];
export const text = (data: Uint8Array): string => Buffer.from(data).toString();

export class Peer {
  readonly applied: Entry[] = [];
  readonly readStates: ReadState[] = [];
  readonly snapshots: Snapshot[] = [];
  readonly node: RaftNode;

  constructor(
    readonly id: MemberId,
    readonly log: MemoryLog,
    options: Options = {},
  ) {
    this.node = new RaftNode({ ...plainConfig, random: seededRandom(id), ...options, id, log });
  }

  get appliedTexts(): string[] {
    return this.applied
      .filter(({ data, type }) => type === EntryType.Normal && data.length > 0)
      .map(({ data }) => text(data));
  }

  /** Works one Ready off, with its storage; the messages that are left are for others. */
  work(): Ready {
    const ready = this.node.ready();
    if (ready.snapshot !== undefined) this.snapshots.push(ready.snapshot);
    this.readStates.push(...ready.readStates);
    for (const committed of ready.committedEntries) {
      const change = entryConfChange(committed);
      if (change !== undefined) this.node.applyConfChange(change);
      this.applied.push(committed);
    }
    if (!this.node.state.config.asyncStorageWrites) this.node.advance();
    return ready;
  }

  /** Works everything off and gives what it would send. */
  drain(): Message[] {
    const sent: Message[] = [];
    while (this.node.hasReady()) sent.push(...this.work().messages);
    return sent;
  }

  tick(count: number): void {
    for (let done = 0; done < count; done++) this.node.tick();
  }
}

export class Network {
  readonly peers = new Map<MemberId, Peer>();
  /** False for messages that get lost. */
  passes: (message: Message) => boolean = () => true;

  constructor(peers: Iterable<Peer>) {
    for (const peer of peers) this.peers.set(peer.id, peer);
  }

  peer(id: number | bigint): Peer {
    const peer = this.peers.get(BigInt(id));
    if (peer === undefined) throw new Error(`no peer ${id}`);
    return peer;
  }

  node(id: number | bigint): RaftNode {
    return this.peer(id).node;
  }

  /** Delivers until all is quiet. */
  run(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const peer of this.peers.values()) {
        for (const message of peer.drain()) {
          busy = true;
          if (this.passes(message)) this.peers.get(message.to)?.node.step(message);
        }
      }
    }
  }

  elect(id: number): void {
    this.node(id).campaign();
    this.run();
  }

  propose(id: number, ...texts: readonly string[]): void {
    this.node(id).propose(texts.map(utf8Bytes));
    this.run();
  }

  /** Loses everything from and to these members. */
  isolate(...ids: readonly number[]): void {
    const cut = new Set(ids.map(BigInt));
    this.passes = ({ from, to }) => !cut.has(from) && !cut.has(to);
  }

  heal(): void {
    this.passes = () => true;
  }

  /** A heartbeat interval on one member, and what follows. */
  beat(id: number): void {
    this.node(id).tick();
    this.run();
  }

  roles(): string[] {
    return [...this.peers.values()].map(({ node }) => `${node.state.role} ${node.state.term}`);
  }

  lastIndexes(): Index[] {
    return [...this.peers.values()].map(({ node }) => node.state.log.lastIndex());
  }
}

/** Members 1 to `count`, all voters. */
export function network(
  count: number,
  options: Options = {},
  terms: readonly (readonly Term[])[] = [],
): Network {
  const ids = Array.from({ length: count }, (_, at) => BigInt(at + 1));
  const peers = ids.map((id, at) => {
    const own = terms[at] ?? [];
    const hardState = { term: own.at(-1) ?? 0, vote: 0n, commit: 0 };
    return new Peer(id, logOf(confState(ids), own, hardState), options);
  });
  return new Network(peers);
}
