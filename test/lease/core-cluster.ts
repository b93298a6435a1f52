/**
 * Several member cores in one thread, with a clock that only moves when a test says so. Disks are instant, messages
 * arrive in order; a test cuts members off, pauses them, or replaces them by what their disk holds.
 */
import { encodeLeaseGrant, encodeLeaseId } from "../../src/apply/lease-requests.js";
import { encodeRaftRequest, RequestField } from "../../src/apply/raft-request.js";
import type { ApplyResult } from "../../src/apply/result.js";
import { latin1ToBytes } from "../../src/base/bytes.js";
import type { StoreError } from "../../src/base/errors.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import { seededRandom } from "../../src/base/prng.js";
import { PutRequest } from "../../src/gen/etcdserver.js";
import { leaseMetrics } from "../../src/lease/lease-metrics.js";
import { Lessor } from "../../src/lease/lessor.js";
import { foundingLog } from "../../src/member/bootstrap.js";
import { MemberCore } from "../../src/member/core/core.js";
import { ReplicatedState, type StateStore } from "../../src/member/core/replicated-state.js";
import { MvccStore } from "../../src/mvcc/store.js";
import type { AppliedMark } from "../../src/ports/revision-store.js";
import { MemoryLog } from "../../src/raft/log-store.js";
import type { Message } from "../../src/raft/message.js";
import { RaftNode } from "../../src/raft/node.js";
import { MemoryLog as Revisions } from "../mvcc/fakes.js";

export const tickMs = 100;
const electionTicks = 10;
export const electionTimeoutMs = electionTicks * tickMs;

/** Small records in a map; a restart of the member reads it again. */
export class MemoryRecords implements StateStore {
  readonly durableApplied: AppliedMark = { index: 0, term: 0 };
  readonly pendingBytes = 0;
  private readonly records = new Map<string, Uint8Array>();

  getState(key: string): Uint8Array | undefined {
    return this.records.get(key);
  }

  setState(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.records.delete(key);
    else this.records.set(key, value);
  }

  listState(prefix: string): readonly (readonly [key: string, value: Uint8Array])[] {
    return [...this.records].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  seal(): void {}
}

export class TestMember {
  readonly core: MemberCore;
  readonly leases: Lessor;
  readonly mvcc: MvccStore;
  readonly registry = new MetricRegistry();
  readonly outcomes = new Map<bigint, ApplyResult | StoreError>();
  /** By ticket; null: asked a member that does not lead. */
  readonly renewals = new Map<number, number | null>();
  readonly reads = new Set<number>();
  readonly inbox: Message[] = [];
  /** Neither hears nor acts; time passes for it all the same. */
  paused = false;
  /** Messages from and to it are lost. */
  cutOff = false;

  constructor(
    readonly id: bigint,
    ids: readonly bigint[],
  ) {
    const records = new MemoryRecords();
    this.leases = new Lessor({ records, metrics: leaseMetrics(this.registry) });
    this.mvcc = new MvccStore({}, { log: new Revisions(), leases: this.leases, changes: { committed() {} } });
    const { leases, mvcc } = this;
    const state = new ReplicatedState({ learnersMax: 1 }, { records, mvcc, leases });
    const log = new MemoryLog();
    const founding = foundingLog(ids.map((of) => ({ id: of, name: `m${of}`, peerUrls: [`http://m${of}`] })));
    log.setHardState(founding.hardState!);
    log.append(founding.entries);
    const raft = new RaftNode({
      id,
      electionTicks,
      heartbeatTicks: 1,
      log,
      applied: 0,
      asyncStorageWrites: true,
      preVote: true,
      checkQuorum: true,
      stepDownOnRemoval: true,
      readOnlyOption: "safe",
      appendMessageBytesMax: 1 << 20,
      committedBytesMax: 1 << 20,
      uncommittedBytesMax: 1 << 30,
      inflightMessagesMax: 256,
      inflightBytesMax: 1 << 26,
      disableProposalForwarding: false,
      disableConfChangeValidation: false,
      random: seededRandom(id),
      trace: undefined,
    });
    this.core = new MemberCore(
      { incarnation: 1, readRetryTicks: 5, electionTimeoutMs, snapshotCount: 1 << 30, catchUpEntries: 100 },
      { raft, log, state, lastCut: 0, applyObserver: { begin() {}, applied() {} } },
    );
  }

  get leads(): boolean {
    return this.core.raft.status().role === "leader";
  }

  /** One turn; gives what it sends. */
  turn(): readonly Message[] {
    for (const message of this.inbox.splice(0)) this.core.step({ type: "message", message });
    const effects = this.core.turn();
    const sent = [...effects.messages];
    for (const { responses } of effects.appends) {
      const own = responses.filter(({ to }) => to === this.id);
      this.core.step({ type: "persisted", responses: own });
      sent.push(...responses.filter(({ to }) => to !== this.id));
    }
    for (const { id, outcome } of effects.applied) this.outcomes.set(id, outcome);
    for (const { ticket, ttlSeconds } of effects.renewals) this.renewals.set(ticket, ttlSeconds ?? null);
    for (const ticket of effects.reads) this.reads.add(ticket);
    return sent;
  }
}

const roundsMax = 200;

export class CoreCluster {
  readonly members: readonly TestMember[];
  nowMs = 1_000_000;
  private nextId = 1n;
  private nextTicket = 1;

  constructor(count: number) {
    const ids = Array.from({ length: count }, (_, at) => BigInt(at + 1));
    this.members = ids.map((id) => new TestMember(id, ids));
    this.settle();
  }

  /** The one that leads in the highest term. */
  get leader(): TestMember {
    const leading = this.members.filter((member) => member.leads);
    const term = ({ core }: TestMember): number => core.raft.status().term;
    const found = leading.sort((a, b) => term(b) - term(a))[0];
    if (found === undefined) throw new Error("nobody leads");
    return found;
  }

  get followers(): readonly TestMember[] {
    const { leader } = this;
    return this.members.filter((member) => member !== leader);
  }

  /** Makes `member` the first leader. */
  elect(member: TestMember): void {
    member.core.raft.campaign();
    this.settle();
    if (!member.leads) throw new Error(`member ${member.id} was not elected`);
  }

  /** The leader is gone, until `heal`, and another one is elected. */
  loseLeader(): TestMember {
    const gone = this.leader;
    gone.cutOff = true;
    gone.paused = true;
    for (let waits = 0; waits < 10; waits++) {
      this.pass(electionTimeoutMs);
      if (this.members.some((member) => member !== gone && member.leads)) return gone;
    }
    throw new Error("nobody took over");
  }

  heal(): void {
    for (const member of this.members) {
      member.cutOff = false;
      member.paused = false;
    }
  }

  /** Time passes, tick by tick, with everything that follows from each. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += tickMs) {
      this.nowMs += tickMs;
      for (const { paused, core } of this.members)
        if (!paused) core.step({ type: "tick", nowMs: this.nowMs });
      this.settle();
    }
  }

  /** Turns and messages until nothing moves any more. */
  settle(): void {
    for (let round = 0; round < roundsMax; round++) {
      let moved = false;
      for (const member of this.members) {
        if (member.paused) continue;
        moved = member.inbox.length > 0 || moved;
        for (const message of member.turn()) {
          moved = true;
          this.carry(member, message);
        }
      }
      if (!moved && round > 2) return;
    }
    throw new Error("the cluster does not come to rest");
  }

  /** Hands a request to `at`; its outcome there, or undefined while there is none. */
  submit(at: TestMember, field: number, body: Uint8Array): () => ApplyResult | StoreError | undefined {
    const id = this.nextId++;
    at.core.step({ type: "propose", id, data: encodeRaftRequest({ id, field, body }) });
    return () => at.outcomes.get(id);
  }

  run(at: TestMember, field: number, body: Uint8Array): ApplyResult | StoreError {
    const outcome = this.submit(at, field, body);
    this.settle();
    const done = outcome();
    if (done === undefined) throw new Error("the request was not applied");
    return done;
  }

  grant(id: bigint, ttlSeconds: number): ApplyResult | StoreError {
    return this.run(this.leader, RequestField.LeaseGrant, encodeLeaseGrant({ id, ttlSeconds }));
  }

  revoke(id: bigint): ApplyResult | StoreError {
    return this.run(this.leader, RequestField.LeaseRevoke, encodeLeaseId(id));
  }

  put(key: string, lease: bigint): ApplyResult | StoreError {
    const body = PutRequest.encode(PutRequest.fromPartial({ key: latin1ToBytes(key), lease })).finish();
    return this.run(this.leader, RequestField.Put, body);
  }

  /** Asks `at` to renew; answers what is known of it whenever it is called: undefined while it is undecided. */
  startRenewal(at: TestMember, lease: bigint): () => number | null | undefined {
    const ticket = this.nextTicket++;
    at.core.step({ type: "renewLease", ticket, lease });
    return () => at.renewals.get(ticket);
  }

  renew(lease: bigint, at = this.leader): number | null | undefined {
    const answer = this.startRenewal(at, lease);
    this.settle();
    return answer();
  }

  /** Whole seconds that the leader sees left. */
  leftSeconds(id: bigint): number | undefined {
    const lease = this.leader.leases.find(id);
    if (lease === undefined) return undefined;
    return Math.floor(this.leader.leases.timing.remainingMs(lease)! / 1_000);
  }

  private carry(from: TestMember, message: Message): void {
    const to = this.members.find(({ id }) => id === message.to);
    if (to === undefined || to.cutOff || from.cutOff) return;
    to.inbox.push(message);
  }
}
