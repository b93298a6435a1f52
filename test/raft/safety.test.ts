/**
 * Whole clusters under loss, doubling, reordering, slow disks and crashes, from a seed: never two leaders of a
 * term, never two different entries committed at one index, never a committed entry lost; and once the network
 * heals, progress. Storage is asynchronous, as in production.
 */
import { describe, expect, it } from "vitest";
import { utf8Bytes } from "../../src/base/bytes.js";
import type { Random } from "../../src/base/prng.js";
import { seededRandom } from "../../src/base/prng.js";
import { MemoryLog } from "../../src/raft/log-store.js";
import type { Message, StorageAppendMessage, StorageApplyMessage } from "../../src/raft/message.js";
import { decodeMessage, encodeMessage } from "../../src/raft/message-codec.js";
import { RaftNode } from "../../src/raft/node.js";
import type { Entry, HardState } from "../../src/raft/types.js";
import { confState, plainConfig, snapshotAt, text } from "./network.js";

const voters = [1n, 2n, 3n];
const members = confState(voters, { learners: [4n] });

class Machine {
  node: RaftNode;
  appendWork: StorageAppendMessage[] = [];
  applyWork: StorageApplyMessage[] = [];
  disk = new MemoryLog();
  hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  /** The application's state and how far it got, durable as of the last application. */
  applied = 0;

  constructor(
    readonly id: bigint,
    private readonly random: Random,
    private readonly options: object,
  ) {
    this.disk.applySnapshot(snapshotAt(0, 0, members));
    this.node = this.start();
  }

  /** All that was not durable is lost. */
  crash(): void {
    this.appendWork = [];
    this.applyWork = [];
    this.node = this.start();
  }

  private start(): RaftNode {
    const log = new MemoryLog();
    const snapshot = this.disk.snapshot();
    log.applySnapshot(snapshot ?? snapshotAt(0, 0, members));
    log.append(
      this.disk.entries(this.disk.firstIndex(), this.disk.lastIndex() + 1, Number.POSITIVE_INFINITY),
    );
    log.setHardState(this.hardState);
    const { random } = this;
    const applied = Math.max(this.applied, log.firstIndex() - 1);
    return new RaftNode({
      ...plainConfig,
      asyncStorageWrites: true,
      ...this.options,
      applied,
      id: this.id,
      log,
      random,
    });
  }
}

class World {
  readonly machines = new Map<bigint, Machine>();
  readonly committed = new Map<number, string>();
  private readonly leaders = new Map<number, bigint>();
  private network: Uint8Array[] = [];
  private proposals = 0;
  healed = false;

  constructor(
    readonly random: Random,
    options: object,
  ) {
    for (const id of [...voters, 4n]) this.machines.set(id, new Machine(id, random, options));
  }

  step(): void {
    const machines = [...this.machines.values()];
    const machine = machines[this.random.below(machines.length)]!;
    const dice = this.random.below(100);
    if (dice < 20) machine.node.tick();
    else if (dice < 30)
      machine.node.propose([utf8Bytes(`p${this.proposals++}`), utf8Bytes(`p${this.proposals++}`)]);
    else if (dice < 55) this.ready(machine);
    else if (dice < 70) this.append(machine);
    else if (dice < 80) this.apply(machine);
    else if (dice < 98) this.deliver();
    else this.disturb(machine);
    this.checkLeader(machine);
  }

  /** The network and the disks work, and in turn: a round of all members. */
  calmRound(round: number): void {
    this.healed = true;
    for (const machine of this.machines.values()) {
      if (round % 3 === 0) machine.node.tick();
      if (machine.node.state.role === "leader") machine.node.propose([utf8Bytes(`p${this.proposals++}`)]);
      this.ready(machine);
      while (machine.appendWork.length > 0) this.append(machine);
      while (machine.applyWork.length > 0) this.apply(machine);
      this.checkLeader(machine);
    }
    for (let waiting = this.network.length; waiting > 0; waiting--) this.deliver();
  }

  private disturb(machine: Machine): void {
    switch (this.random.below(5)) {
      case 0:
        machine.crash();
        return;
      case 1:
        machine.node.transferLeadership(voters[this.random.below(3)]!);
        return;
      case 2:
        machine.node.reportUnreachable(voters[this.random.below(3)]!);
        return;
      case 3:
        this.cut(machine);
        return;
      default:
        machine.node.campaign();
    }
  }

  /** Cuts the log of a member up to what it applied and what its disk holds. */
  private cut(machine: Machine): void {
    const { log } = machine.node.state.config;
    const index = Math.min(machine.node.status().applied, machine.disk.lastIndex(), log.lastIndex());
    const term = log.term(index);
    if (index <= 0 || term === undefined) return;
    const metadata = { index, term, confState: members };
    if (!log.createSnapshot(metadata) || !machine.disk.createSnapshot(metadata)) return;
    log.compact(index);
    machine.disk.compact(index);
  }

  private ready(machine: Machine): void {
    if (!machine.node.hasReady()) return;
    for (const message of machine.node.ready().messages) {
      if (message.type === "MsgStorageAppend") machine.appendWork.push(message);
      else if (message.type === "MsgStorageApply") machine.applyWork.push(message);
      else this.send(message);
    }
  }

  private send(message: Message): void {
    if (!this.healed && this.random.below(100) < 10) {
      const from = this.machines.get(message.from)!.node;
      if (message.type === "MsgSnap") from.reportSnapshot(message.to, false);
      return;
    }
    this.network.push(encodeMessage(message));
    if (!this.healed && this.random.below(100) < 5) this.network.push(encodeMessage(message));
  }

  private deliver(): void {
    if (this.network.length === 0) return;
    const [bytes] = this.network.splice(this.random.below(Math.min(this.network.length, 8)), 1);
    const message = decodeMessage(bytes!);
    this.machines.get(message.to)!.node.step(message);
    if (message.type === "MsgSnap") this.machines.get(message.from)!.node.reportSnapshot(message.to, true);
  }

  private append(machine: Machine): void {
    const work = machine.appendWork.shift();
    if (work === undefined) return;
    if (work.snapshot !== undefined && machine.disk.applySnapshot(work.snapshot)) {
      machine.applied = work.snapshot.metadata.index;
    }
    machine.disk.append(work.entries);
    if (work.hardState !== undefined) machine.hardState = work.hardState;
    for (const response of work.responses) {
      if (response.to === machine.id) machine.node.step(response);
      else this.send(response);
    }
  }

  private apply(machine: Machine): void {
    const work = machine.applyWork.shift();
    if (work === undefined) return;
    for (const entry of work.entries) this.checkCommitted(machine, entry);
    for (const response of work.responses) machine.node.step(response);
  }

  private checkCommitted(machine: Machine, entry: Entry): void {
    expect(entry.index, `member ${machine.id} applies each entry once, in order`).toBe(machine.applied + 1);
    machine.applied = entry.index;
    const content = `${entry.term}:${text(entry.data)}`;
    const known = this.committed.get(entry.index);
    if (known === undefined) this.committed.set(entry.index, content);
    else expect(content, `index ${entry.index} on member ${machine.id}`).toBe(known);
  }

  private checkLeader(machine: Machine): void {
    const { role, term } = machine.node.state;
    if (role !== "leader") return;
    const known = this.leaders.get(term) ?? machine.id;
    expect(known, `leader of term ${term}`).toBe(machine.id);
    this.leaders.set(term, machine.id);
  }
}

const variants = [
  { name: "plain", options: {} },
  { name: "pre-vote and checked quorum", options: { preVote: true, checkQuorum: true } },
  {
    name: "small windows and pages",
    options: { inflightMessagesMax: 2, appendMessageBytesMax: 10, committedBytesMax: 12, preVote: true },
  },
];

describe.each(variants)("$name", ({ options }) => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))("seed %i", (seed) => {
    const world = new World(seededRandom(seed * 31 + 7), options);
    for (let step = 0; step < 6_000; step++) world.step();
    const before = world.committed.size;
    for (let round = 0; round < 500; round++) world.calmRound(round);
    const reached = [...world.machines.values()].map(({ applied }) => applied);
    expect(Math.min(...reached), `all go on once they can: ${reached.join()}`).toBeGreaterThan(before + 50);
  });
});
