/**
 * Whoever runs the cluster: adds learners and promotes them, removes members and those whose disk is lost, changes
 * roles by way of joint configurations, moves the leadership. Does nothing that would leave the cluster without a
 * quorum of sound members, as nobody in the right mind would.
 */
import type { MemberId } from "../../src/base/brand.js";
import { StoreError } from "../../src/base/errors.js";
import { encodeChangeContext } from "../../src/membership/member-record.js";
import {
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  leaveJointChange,
} from "../../src/raft/conf-change.js";
import { isUnknown } from "./clients.js";
import type { Coverage } from "./coverage.js";
import { Dice } from "./dice.js";
import type { History } from "./history.js";
import { founderOf, type Machines, type Place } from "./machines.js";
import type { MemberProcess } from "./member-process.js";
import type { SimOptions } from "./options.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

export interface AdminDeps {
  readonly scheduler: Scheduler;
  readonly options: SimOptions;
  readonly coverage: Coverage;
  readonly trace: Trace;
  readonly history: History;
  readonly machines: Machines;
}

/** Members of the largest cluster beside the founders' count. */
const extraMembersMax = 1;
/** A change whose outcome nobody told may still come into force for so long. */
const unknownForUs = 4_000_000;

export class Admin {
  private readonly dice: Dice;
  private stopped = false;
  private nextId: MemberId;

  constructor(private readonly deps: AdminDeps) {
    this.dice = Dice.of(deps.options.seed, "admin");
    this.nextId = BigInt(deps.options.members + 1);
  }

  start(): void {
    const { faults } = this.deps.options;
    if (faults.has("membership")) this.repeat(1_500_000, () => this.changeMembers());
    if (faults.has("joint")) this.repeat(2_500_000, () => this.changeRoles());
    if (faults.has("transfer")) this.repeat(3_000_000, () => this.moveLeader());
  }

  stop(): void {
    this.stopped = true;
  }

  private repeat(meanUs: number, act: () => void): void {
    this.deps.scheduler.after(this.dice.exponential(meanUs), undefined, () => {
      if (this.stopped) return;
      act();
      this.repeat(meanUs, act);
    });
  }

  /** The next change that makes sense. */
  private changeMembers(): void {
    const { history, machines, options } = this.deps;
    machines.startNewcomers(history.configuration);
    const { voters, learners, votersOutgoing } = history.configuration;
    if (votersOutgoing.length > 0 || voters.length === 0) return;
    const place = (id: MemberId): Place | undefined => machines.places.get(id);
    const lost = [...learners, ...voters].find((id) => place(id)?.state === "lost");
    if (lost !== undefined && (learners.includes(lost) || this.survives(voters, lost))) {
      this.remove(lost);
      return;
    }
    const learner = learners[0];
    if (learner !== undefined) {
      if (this.dice.chance(0.15)) this.remove(learner);
      else if (this.hasCaughtUp(learner)) this.promote(learner);
      return;
    }
    if (voters.length < options.members + extraMembersMax) this.addLearner();
    else if (voters.every((id) => this.isSound(id))) {
      const leaver = this.dice.pick(voters);
      if (this.survives(voters, leaver)) this.remove(leaver);
    }
  }

  /** True where a quorum of sound voters is left without `leaver`. */
  private survives(voters: readonly MemberId[], leaver: MemberId): boolean {
    const left = voters.filter((id) => id !== leaver);
    return left.length >= 3 && left.filter((id) => this.isSound(id)).length > left.length / 2;
  }

  private isSound(id: MemberId): boolean {
    const place = this.deps.machines.places.get(id);
    return place !== undefined && place.state !== "lost" && place.machine.disk.damaged === undefined;
  }

  private hasCaughtUp(id: MemberId): boolean {
    const running = this.deps.machines.processOf(id)?.running;
    return running !== undefined && running.core.applied + 50 >= this.deps.history.lastIndex;
  }

  private addLearner(): void {
    const id = this.nextId++;
    const { coverage } = this.deps;
    const founder = founderOf(id);
    const context = { peerUrls: founder.peerUrls, isLearner: true, name: "", isPromote: false };
    const type = ConfChangeType.AddLearnerNode;
    const change = { version: 1, type, nodeId: id, context: encodeChangeContext(id, context) } as const;
    this.propose(change, () => coverage.hit("member/learner added"));
  }

  private promote(id: MemberId): void {
    const context = { peerUrls: [], isLearner: false, name: "", isPromote: true };
    const type = ConfChangeType.AddNode;
    const change = { version: 1, type, nodeId: id, context: encodeChangeContext(id, context) } as const;
    const isLearner = this.deps.machines
      .processes()
      .some(({ running }) => running?.core.state.membership.member(id)?.isLearner === true);
    if (isLearner) this.propose(change, () => this.deps.coverage.hit("member/learner promoted"));
    else this.proposeJoint([{ type, nodeId: id }]);
  }

  private remove(id: MemberId): void {
    const change = {
      version: 1,
      type: ConfChangeType.RemoveNode,
      nodeId: id,
      context: new Uint8Array(0),
    } as const;
    this.propose(change, () => this.deps.coverage.hit("member/removed"));
  }

  private propose(change: Omit<ConfChange, "id">, done: () => void): void {
    const process = this.someProcess();
    const { coverage, scheduler, trace, machines } = this.deps;
    if (process === undefined) return;
    trace.say(`admin asks ${process.name} for change ${change.type} of ${change.nodeId}`);
    machines.changingUntil(scheduler.nowUs + unknownForUs);
    scheduler.after(100, process, () => {
      const { running } = process;
      if (running === undefined) return;
      running.member
        .changeConfiguration((id) => ({ ...change, id }))
        .then(
          () => {
            machines.changingUntil(scheduler.nowUs);
            done();
          },
          (error: unknown) => {
            if (!(error instanceof StoreError)) throw error;
            coverage.hit("member/change refused");
            if (!isUnknown(error)) machines.changingUntil(scheduler.nowUs);
          },
        );
    });
  }

  /** Changes of several roles at once, by way of a joint configuration; leaves one that does not leave by itself. */
  private changeRoles(): void {
    const { history } = this.deps;
    const { voters, learners, votersOutgoing, autoLeave } = history.configuration;
    if (votersOutgoing.length > 0) {
      if (!autoLeave) this.proposeJoint([]);
      return;
    }
    const changes: ConfChangeSingle[] = [];
    const learner = learners.find((id) => this.hasCaughtUp(id));
    // With a disk lost, one step at a time.
    if (!voters.every((id) => this.isSound(id))) return;
    if (learner !== undefined) changes.push({ type: ConfChangeType.AddNode, nodeId: learner });
    const leaver = this.dice.pick(voters);
    if (leaver !== undefined && learners.length === 0 && this.survives(voters, leaver)) {
      changes.push({ type: ConfChangeType.AddLearnerNode, nodeId: leaver });
    }
    if (changes.length > 0) this.proposeJoint(changes);
  }

  private proposeJoint(changes: readonly ConfChangeSingle[]): void {
    const process = this.someProcess();
    if (process === undefined) return;
    const transition = this.dice.chance(0.5)
      ? ConfChangeTransition.JointImplicit
      : ConfChangeTransition.JointExplicit;
    const change =
      changes.length === 0 ? leaveJointChange : ({ ...leaveJointChange, transition, changes } as const);
    this.deps.trace.say(
      `admin asks ${process.name} for a joint change of ${changes.map(({ nodeId }) => nodeId)}`,
    );
    this.deps.scheduler.after(100, process, () => {
      const { running } = process;
      running?.core.raft.proposeConfChange(change);
      // Nothing waits under id 0: this only makes the driver run a turn.
      running?.driver.push({ type: "abandon", id: 0n });
    });
  }

  private moveLeader(): void {
    const { machines, scheduler, trace, coverage } = this.deps;
    const leader = machines.processes().find(({ role }) => role === "leader");
    const target = this.someProcess();
    if (leader === undefined || target === undefined || target === leader) return;
    trace.say(`admin moves leadership from ${leader.name} to ${target.name}`);
    scheduler.after(100, leader, () => {
      leader.running?.member.moveLeader(target.machine.id, { timeoutMs: 2_000 }).then(
        () => coverage.hit("leader/transferred"),
        (error: unknown) => {
          if (!(error instanceof StoreError)) throw error;
        },
      );
    });
  }

  private someProcess(): MemberProcess | undefined {
    const processes = this.deps.machines.processes().filter(({ running }) => running !== undefined);
    return processes.length === 0 ? undefined : this.dice.pick(processes);
  }
}
