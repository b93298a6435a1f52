/**
 * After all is healed: the cluster must elect a leader, come to the same state on every member, take new writes
 * through each of them, and hold every key as the history has it.
 */

import { RequestField } from "../../src/apply/raft-request.js";
import type { MemberId } from "../../src/base/brand.js";
import { bytesToLatin1 } from "../../src/base/bytes.js";
import type { HashKvResult } from "../../src/member/contract.js";
import { wholeRange } from "../../src/mvcc/requests.js";
import type { History } from "./history.js";
import type { LeaseChecks } from "./lease-checks.js";
import type { Machines } from "./machines.js";
import { type MemberProcess, type Running, requestTimeoutMs } from "./member-process.js";
import type { Nemesis } from "./nemesis.js";
import { encodePut } from "./requests.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";
import { Violation } from "./violation.js";
import type { WatchClient } from "./watch-clients.js";

export interface EndingDeps {
  readonly scheduler: Scheduler;
  readonly history: History;
  readonly machines: Machines;
  readonly nemesis: Nemesis;
  readonly watchers: readonly WatchClient[];
  readonly leases: LeaseChecks;
  readonly trace: Trace;
  readonly isOver: () => boolean;
}

/** Simulated time that a healed cluster may take: elections, a snapshot for those behind, requests that time out. */
const patienceUs = 40_000_000;
/** From when a lease has run out to when its end is applied, at the worst: ticks, slices, a question, the log. */
const expiryDelayUs = 2_000_000;
const lookEveryUs = 100_000;

export class Ending {
  constructor(private readonly deps: EndingDeps) {}

  /** Errors: Violation. */
  run(): void {
    this.until("convergence", () => this.isSettled());
    const probes = this.probe();
    this.until("progress", () => probes.every(({ answered, id }) => answered || !this.isAwaited(id)));
    this.expireLeases();
    this.until("convergence", () => this.isSettled());
    if (this.deps.isOver()) return;
    this.compareStates();
    this.compareHashes();
    const { watchers } = this.deps;
    this.until("watch reliable", () => watchers.every(({ isComplete }) => isComplete));
  }

  /** Nobody keeps a lease alive any more: each ends, in its time (from the last request that may still be on its way), whatever happened to its leaders before. */
  private expireLeases(): void {
    const { leases } = this.deps;
    const limitUs = requestTimeoutMs * 1_000 + leases.longestSeconds * 1e6 + expiryDelayUs;
    this.until("leases expire", () => leases.livingCount === 0, limitUs);
  }

  private until(what: string, reached: () => boolean, withinUs = patienceUs): void {
    const { scheduler, isOver, nemesis } = this.deps;
    const limitUs = scheduler.nowUs + withinUs;
    while (!isOver() && !reached()) {
      if (scheduler.nowUs >= limitUs)
        throw new Violation(what, `not reached within ${withinUs / 1e6} s: ${this.describe()}`);
      scheduler.run(scheduler.nowUs + lookEveryUs, isOver);
      // A process that failed late, or whose removal was heard of late.
      nemesis.heal();
    }
  }

  /** Those whose disk is sound: what the others say of their keys may be that it is damaged. */
  private sound(): MemberProcess[] {
    return this.members().filter(({ machine }) => machine.disk.damaged === undefined);
  }

  /** The members that are up. */
  private members(): MemberProcess[] {
    const ids = this.ids();
    return this.deps.machines.processes().filter(({ machine }) => ids.has(machine.id));
  }

  /** The members as of now: a request of before the healing may still remove one. */
  private ids(): ReadonlySet<MemberId> {
    const { voters, learners, votersOutgoing } = this.deps.history.configuration;
    return new Set([...voters, ...learners, ...votersOutgoing]);
  }

  /** False for who left, and for one that finds its disk damaged only now: nobody replaces it any more. */
  private isAwaited(id: MemberId): boolean {
    return this.ids().has(id) && this.deps.machines.places.get(id)?.state !== "lost";
  }

  private isSettled(): boolean {
    const members = this.members();
    const { voters, learners } = this.deps.history.configuration;
    const awaited = [...voters, ...learners].filter((id) => this.isAwaited(id));
    if (members.length < awaited.length) return false;
    const leaders = members.filter(({ role }) => role === "leader");
    if (leaders.length !== 1) return false;
    const last = leaders[0]!.running!.core.raft.state.log.lastIndex();
    return members.every(({ running }) => running?.core.applied === last);
  }

  /** One write and one read through each member; one that leaves meanwhile owes no answer. */
  private probe(): { answered: boolean; readonly id: MemberId }[] {
    const { scheduler } = this.deps;
    return this.members().map((process) => {
      const probe = { answered: false, id: process.machine.id };
      const ask = ({ member }: Running): void => {
        const body = encodePut(`probe${process.name}`, new Uint8Array(3), { prevKv: false, lease: 0n });
        member
          .propose(RequestField.Put, body, { timeoutMs: undefined })
          .then(() => member.linearize({ timeoutMs: undefined }))
          .then(
            () => {
              probe.answered = true;
            },
            // A timeout: the cluster was not ready yet.
            () => scheduler.after(100_000, process, () => ask(process.running!)),
          );
      };
      scheduler.after(0, process, () => ask(process.running!));
      return probe;
    });
  }

  private compareStates(): void {
    const { history } = this.deps;
    for (const { name, running } of this.sound()) {
      const { mvcc, leases } = running!.core.state.deps;
      this.deps.leases.checkLessor(name, leases, { index: running!.core.applied, revision: mvcc.revision });
      if (mvcc.revision !== history.revision) {
        throw new Violation(
          "convergence",
          `${name} is at revision ${mvcc.revision}, the history at ${history.revision}`,
        );
      }
      const allKeys = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
      const request = { ...wholeRange, ...allKeys, serializable: true };
      const found = mvcc.range(request).kvs.map((pair) => bytesToLatin1(pair));
      const expected = history.read("", "\xff", history.revision).map((pair) => bytesToLatin1(pair));
      if (found.join("\n") === expected.join("\n")) continue;
      throw new Violation("acknowledged writes", `${name} holds other keys than were written`);
    }
  }

  /** Members that compacted alike must give the same hash. */
  private compareHashes(): void {
    const { scheduler, isOver } = this.deps;
    const hashes: (HashKvResult & { readonly name: string })[] = [];
    const members = this.sound();
    for (const process of members) {
      scheduler.after(0, process, () => {
        void process
          .running!.member.hashKv(0)
          .then((result) => hashes.push({ ...result, name: process.name }));
      });
    }
    this.until("hash", () => hashes.length === members.length);
    if (isOver()) return;
    const [first, ...others] = hashes;
    for (const other of others) {
      const comparable =
        other.hashRevision === first!.hashRevision && other.compactRevision === first!.compactRevision;
      if (comparable && other.hash !== first!.hash) {
        throw new Violation(
          "hash",
          `${other.name} has hash ${other.hash}, ${first!.name} has ${first!.hash}`,
        );
      }
    }
  }

  private describe(): string {
    const { voters, learners, votersOutgoing } = this.deps.history.configuration;
    const processes = this.deps.machines
      .processes()
      .map(({ name, role, running }) => {
        if (running === undefined) return `${name} is starting`;
        const { log, term } = running.core.raft.state;
        return `${name} ${role} term ${term} applied ${running.core.applied} commit ${log.committed} last ${log.lastIndex()}`;
      })
      .join("; ");
    const late = this.deps.watchers
      .filter(({ isComplete }) => !isComplete)
      .map((client) => client.describe());
    return `voters ${voters}, outgoing ${votersOutgoing}, learners ${learners}: ${processes}; ${late.join("; ")}; leases ${this.deps.leases.describe()}`;
  }
}
