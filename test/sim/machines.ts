/**
 * The machines of a cluster and the processes on them: starting, crashing, restarting, giving up a machine whose
 * disk is damaged.
 */
import type { MemberId } from "../../src/base/brand.js";
import { DamageError } from "../../src/base/errors.js";
import { failpoints } from "../../src/base/failpoint.js";
import type { Founder } from "../../src/member/bootstrap.js";
import type { Effects } from "../../src/member/core/events.js";
import type { ConfState } from "../../src/raft/types.js";
import { type Branch, type Coverage, simulatedFailpoints } from "./coverage.js";
import { Dice } from "./dice.js";
import { SimulatedDisk } from "./disk.js";
import type { History } from "./history.js";
import type { LeaseChecks } from "./lease-checks.js";
import { MachineClock } from "./local-clock.js";
import { LogBook } from "./log-book.js";
import { type Machine, MemberProcess, type ProcessDeps } from "./member-process.js";
import type { Network } from "./network.js";
import type { SimOptions } from "./options.js";
import { PeerLinks } from "./peer-links.js";
import { sabotageOf } from "./planted-bugs.js";
import type { RaftChecks } from "./raft-checks.js";
import type { Scheduler } from "./scheduler.js";
import type { StateChecks } from "./state-checks.js";
import type { Trace } from "./trace.js";
import { DiskFailure, SimulatedCrash, Violation } from "./violation.js";

export interface MachinesDeps {
  readonly scheduler: Scheduler;
  readonly options: SimOptions;
  readonly coverage: Coverage;
  readonly trace: Trace;
  readonly history: History;
  readonly network: () => Network;
  readonly raftChecks: RaftChecks;
  readonly stateChecks: StateChecks;
  readonly leaseChecks: LeaseChecks;
  readonly books: Map<MemberId, LogBook>;
  /** A promise is broken: the run ends. */
  readonly violated: (error: unknown) => void;
}

/** The process on this machine crashes when it reaches `name` for the nth time. */
export interface ArmedFailpoint {
  readonly name: string;
  hitsLeft: number;
  readonly power: boolean;
}

export interface Place {
  readonly machine: Machine;
  process: MemberProcess | undefined;
  /** lost: its disk is damaged. removed: it left the cluster. */
  state: "up" | "down" | "lost" | "removed";
  lives: number;
  armed: ArmedFailpoint | undefined;
}

export class Machines {
  readonly places = new Map<MemberId, Place>();
  private readonly dice: Dice;
  private readonly founders: readonly Founder[];
  private changingUntilUs = 0;
  private healed = false;

  constructor(private readonly deps: MachinesDeps) {
    const { options } = deps;
    this.dice = Dice.of(options.seed, "machines");
    this.founders = Array.from({ length: options.members }, (_, at) => founderOf(BigInt(at + 1)));
    for (const { id } of this.founders) this.add(id, this.founders);
  }

  /** Calls back at every place at which a process may crash, until the result is called. */
  watchFailpoints(): () => void {
    for (const name of simulatedFailpoints) failpoints[name] = () => this.reached(name);
    return () => {
      for (const name of simulatedFailpoints) failpoints[name] = undefined;
    };
  }

  processOf(id: MemberId): MemberProcess | undefined {
    const process = this.places.get(id)?.process;
    return process?.alive === true ? process : undefined;
  }

  /** Alive, whether started up yet or not. */
  processes(): MemberProcess[] {
    return [...this.places.values()].flatMap(({ process }) => (process?.alive === true ? [process] : []));
  }

  /** A machine that joins; its process is started by `start`. */
  add(id: MemberId, founders: readonly Founder[] | undefined): Place {
    const { options, coverage } = this.deps;
    const name = id.toString(16);
    const book = new LogBook(name, this.deps.raftChecks);
    this.deps.books.set(id, book);
    const wallMs = 1_700_000_000_000 + this.dice.below(5_000);
    const rate = options.faults.has("clock") ? this.dice.between(0.95, 1.05) : 1;
    const clock = new MachineClock(rate, wallMs);
    const disk = new SimulatedDisk(Dice.of(options.seed, `disk ${name}`), coverage);
    const machine: Machine = { id, name, disk, clock, book, founders };
    const place: Place = { machine, process: undefined, state: "down", lives: 0, armed: undefined };
    this.places.set(id, place);
    return place;
  }

  /** Starts a machine for each member that was added and has none. */
  startNewcomers({ voters, learners }: ConfState): void {
    for (const id of [...voters, ...learners]) {
      if (!this.places.has(id)) this.startAfter(this.dice.exponential(300_000), this.add(id, undefined));
    }
  }

  start(place: Place): void {
    if (place.state !== "down") return;
    const process = new MemberProcess(place.machine, ++place.lives, this.processDeps());
    place.process = process;
    place.state = "up";
    this.deps.trace.say(`${place.machine.name} starts, life ${place.lives}`);
    this.deps.scheduler.after(0, process, () => process.start());
  }

  startAfter(delayUs: number, place: Place): void {
    this.deps.scheduler.after(delayUs, undefined, () => this.start(place));
  }

  /** The process is gone at once, and with `power` what it had not synced, too. */
  crash(place: Place, options: { readonly power: boolean; readonly why: string }): void {
    const { process } = place;
    if (process === undefined || !process.alive) return;
    const { coverage, trace } = this.deps;
    process.alive = false;
    place.state = "down";
    place.armed = undefined;
    coverage.hit(options.power ? "process/power cut" : "process/killed");
    const { machine } = place;
    const { raft } = process.running?.core ?? {};
    if (raft !== undefined && raft.state.tracker.config.votersOutgoing.length > 0)
      coverage.hit("joint/crashed inside");
    trace.say(`${machine.name} crashes${options.power ? " without power" : ""}: ${options.why}`);
    const voted = raft?.state.vote ?? 0n;
    machine.disk.crash(options.power);
    if (options.power && voted !== 0n && raft!.state.term > machine.book.durableTerm)
      coverage.hit("vote/lost with its disk");
  }

  /** The machine's disk is of no use any more. What it had acknowledged counts as it did: it was durable then. */
  lose(place: Place, why: string): void {
    this.crash(place, { power: false, why });
    place.state = "lost";
    this.deps.trace.say(`${place.machine.name} is lost`);
  }

  /** From now on no process crashes by chance. */
  heal(): void {
    this.healed = true;
  }

  /** The operator has asked for a change; until then it may still be on its way. */
  changingUntil(timeUs: number): void {
    this.changingUntilUs = timeUs;
  }

  /** True where every member that is not lost is up and acts by the newest configuration, and no change is under way. */
  isSettled(): boolean {
    const { votersOutgoing, voters, learners } = this.deps.history.configuration;
    const { nowUs } = this.deps.scheduler;
    if (votersOutgoing.length > 0 || nowUs < this.changingUntilUs) return false;
    if (this.processes().some(({ pausedUntilUs }) => pausedUntilUs > nowUs)) return false;
    return [...voters, ...learners].every(
      (id) => this.places.get(id)?.state === "lost" || this.knowsNewest(id),
    );
  }

  /** Whether a member acts by the newest configuration also after a restart. */
  private knowsNewest(id: MemberId): boolean {
    const store = this.processOf(id)?.running?.keeper.store;
    return store !== undefined && store.durableApplied.index >= this.deps.history.configurationIndex;
  }

  /**
   * A member that was removed may go once a majority of those that stay act without it, also after a restart: until
   * then their elections may need its vote. Whoever runs a cluster waits for the answer to the removal.
   */
  private mayRetire(): boolean {
    const { voters } = this.deps.history.configuration;
    return voters.filter((id) => this.knowsNewest(id)).length > voters.length / 2;
  }

  /** The machine leaves for good, as soon as it may; true when it has left. */
  retire(place: Place): boolean {
    if (place.state !== "lost" && !this.mayRetire()) return false;
    this.retireNow(place);
    return true;
  }

  private retireNow(place: Place): void {
    this.crash(place, { power: false, why: "it was removed from the cluster" });
    if (place.state !== "lost") place.state = "removed";
  }

  private reached(name: string): undefined {
    const process = this.deps.scheduler.current;
    if (!(process instanceof MemberProcess) || !process.alive) return undefined;
    const role = process.role === "leader" ? "leader" : "follower";
    this.deps.coverage.failpoint(name, role);
    const place = this.places.get(process.machine.id)!;
    const { armed } = place;
    const isArmed = armed?.name === name && --armed.hitsLeft <= 0;
    if (!isArmed && !this.crashesInstalling(name)) return undefined;
    this.deps.coverage.crashedAt(name, role);
    if (name.startsWith("compact")) this.deps.coverage.hit("compaction/crashed inside");
    this.crash(place, { power: isArmed ? armed.power : this.dice.chance(0.5), why: `at ${name}` });
    this.startAfter(this.dice.exponential(700_000), place);
    throw new SimulatedCrash(name);
  }

  /** Images are installed too seldom for a failpoint that was armed before. */
  private crashesInstalling(name: string): boolean {
    return (
      installing.has(name) &&
      !this.healed &&
      this.deps.options.faults.has("failpoint") &&
      this.dice.chance(0.1)
    );
  }

  private processDeps(): ProcessDeps {
    const { scheduler, options, coverage, trace, stateChecks, raftChecks, leaseChecks } = this.deps;
    return {
      scheduler,
      options,
      coverage,
      trace,
      checks: stateChecks,
      sabotage: sabotageOf(options.bug),
      links: (process) =>
        new PeerLinks(process, this.deps.network(), [...this.places.keys()], (message) => {
          if (message.type === "MsgAppResp" && message.reject) trace.note(message.index, message.term);
          raftChecks.sent(message);
          leaseChecks.sent(message);
          if (message.type === "MsgVoteResp" && !message.reject) this.mayCrashAfterVote(process);
        }),
      failed: (process, error) => this.failed(process, error),
      mayCrash: (process, where, probability) => this.mayCrash(process, where, probability),
      started: (process) => trace.say(`${process.name} is up`),
      observed: (process, effects) => this.observed(process, effects),
    };
  }

  private failed(process: MemberProcess, error: unknown): void {
    if (!process.alive || error instanceof SimulatedCrash) return;
    const place = this.places.get(process.machine.id)!;
    if (error instanceof DiskFailure) {
      this.crash(place, { power: false, why: error.message });
      this.startAfter(this.dice.exponential(1_000_000), place);
      return;
    }
    if (error instanceof DamageError && place.machine.disk.damaged !== undefined) {
      const isMisdirected = place.machine.disk.damaged === "misdirected";
      const atStart = process.running === undefined;
      this.deps.coverage.hit(
        isMisdirected
          ? "disk/misdirected write found"
          : atStart
            ? "disk/flip found at start"
            : "disk/flip found by a read",
      );
      this.lose(place, error.message);
      return;
    }
    if (error instanceof Violation) this.deps.violated(error);
    else this.deps.violated(new Violation("process", `${process.name} stopped: ${stackOf(error)}`));
  }

  /** Comes back so soon that another candidate of the same term may ask again. */
  private mayCrashAfterVote(process: MemberProcess): void {
    const { faults } = this.deps.options;
    if (this.healed || !(faults.has("power") || faults.has("kill")) || !this.dice.chance(0.05)) return;
    const place = this.places.get(process.machine.id)!;
    this.deps.scheduler.after(1, process, () => {
      this.deps.coverage.hit("vote/crash right after it was given");
      this.crash(place, { power: faults.has("power"), why: "right after a vote" });
      this.startAfter(this.dice.exponential(5_000), place);
    });
  }

  /** At a place where a crash is seldom and tells much. */
  private mayCrash(process: MemberProcess, where: Branch, probability: number): void {
    const { faults } = this.deps.options;
    const power = faults.has("power");
    if (this.healed || !(power || faults.has("kill")) || !this.dice.chance(probability)) return;
    this.deps.coverage.hit(where);
    const place = this.places.get(process.machine.id)!;
    this.crash(place, { power, why: where });
    this.startAfter(this.dice.exponential(500_000), place);
    throw new SimulatedCrash(where);
  }

  private observed(process: MemberProcess, effects: Effects): void {
    const { scheduler, coverage } = this.deps;
    const { running } = process;
    if (running === undefined) return;
    const { trace } = this.deps;
    trace.note(running.core.applied, running.core.state.deps.mvcc.revision);
    if (effects.leaderChanged) {
      const { role, term, leader } = running.core.raft.state;
      trace.say(`${process.name} is ${role} in term ${term}, led by ${leader}`);
    }
    if (!effects.membershipChanged) return;
    const { membership } = running.core.state;
    if (!membership.isRemoved(process.machine.id)) return;
    if (running.seen.role === "leader") coverage.hit("leader/removed itself");
    const place = this.places.get(process.machine.id)!;
    const retire = (): void => {
      if (!this.retire(place)) scheduler.after(300_000, undefined, retire);
    };
    scheduler.after(this.dice.exponential(300_000), undefined, retire);
  }
}

const installing: ReadonlySet<string> = new Set([
  "raftBeforeApplySnap",
  "applyBeforeOpenSnapshot",
  "applyAfterOpenSnapshot",
  "raftAfterApplySnap",
]);

export function founderOf(id: MemberId): Founder {
  return { id, name: `m${id}`, peerUrls: [`http://m${id}:2380`] };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
