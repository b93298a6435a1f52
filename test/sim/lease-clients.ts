/**
 * Clients with leases: each has one at a time, which it keeps alive for a while at this member or that, puts keys
 * on, asks about, and in the end revokes or forgets. What it may rely on is kept by the checks.
 */
import { encodeLeaseGrant, encodeLeaseId } from "../../src/apply/lease-requests.js";
import { RequestField } from "../../src/apply/raft-request.js";
import type { ApplyResult } from "../../src/apply/result.js";
import type { LeaseId } from "../../src/base/brand.js";
import { StoreError } from "../../src/base/errors.js";
import {
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "../../src/gen/etcdserver.js";
import type { OpenWrite } from "./client-checks.js";
import { type ClientDeps, withProposal } from "./clients.js";
import { Dice } from "./dice.js";
import { type LeaseChecks, ttlSecondsMax } from "./lease-checks.js";
import type { MemberProcess, Running } from "./member-process.js";
import { encodePut } from "./requests.js";
import { StreamCall } from "./stream-call.js";
import { Violation } from "./violation.js";

export interface LeaseClientDeps extends ClientDeps {
  readonly leases: LeaseChecks;
}

interface HeldLease {
  readonly id: LeaseId;
  /** Of the grant's answer; until then the client does not know whether it has it. */
  granted: boolean;
  /** Keep-alives that are still to be sent; then it is left to its end. */
  renewalsLeft: number;
}

/** A stream of keep-alives. */
interface Stream {
  readonly call: StreamCall;
  /** When each was sent that is not answered. */
  readonly sent: { readonly id: LeaseId; readonly atUs: number }[];
}

const hopUs = 150;
const actEveryUs = 350_000;
/** A keep-alive that is not answered for so long is sent again elsewhere. */
const renewalPatienceUs = 1_500_000;

export class LeaseClient {
  private readonly dice: Dice;
  private lease: HeldLease | undefined;
  private stream: Stream | undefined;
  private count = 0;
  private stopped = false;

  constructor(
    readonly name: string,
    private readonly at: number,
    private readonly deps: LeaseClientDeps,
  ) {
    this.dice = Dice.of(deps.options.seed, `lessee ${name}`);
  }

  start(): void {
    this.deps.scheduler.after(this.dice.exponential(actEveryUs), undefined, () => this.act());
  }

  /** From now on its leases are left to their end. */
  stop(): void {
    this.stopped = true;
    this.stream?.call.leave();
    this.stream = undefined;
  }

  private act(): void {
    if (this.stopped) return;
    const { scheduler } = this.deps;
    const process = this.someProcess();
    if (process !== undefined) this.actAt(process);
    scheduler.after(this.dice.exponential(actEveryUs), undefined, () => this.act());
  }

  private someProcess(): MemberProcess | undefined {
    const ready = this.deps.processes().filter(({ running }) => running !== undefined);
    return ready.length === 0 ? undefined : this.dice.pick(ready);
  }

  private actAt(process: MemberProcess): void {
    const { lease, dice } = this;
    if (lease === undefined) {
      this.grant(process);
      return;
    }
    // A grant whose answer is lost is a lease that nobody keeps alive.
    if (!lease.granted) {
      if (dice.chance(0.1)) this.lease = undefined;
      return;
    }
    if (lease.renewalsLeft > 0) {
      lease.renewalsLeft--;
      this.renew(process, lease.id);
    } else if (dice.chance(0.15)) this.lease = undefined;
    const also = dice.pick(["put", "put", "times", "list", "revoke", "none", "none", "none"] as const);
    if (also === "put") this.put(process, lease.id);
    else if (also === "times") this.askTimes(process, lease.id);
    else if (also === "list") this.list(process);
    else if (also === "revoke" && dice.chance(0.3)) this.revoke(process, lease.id);
  }

  private grant(process: MemberProcess): void {
    const { dice, deps } = this;
    const number = BigInt(this.at + 1) * 100_000n + BigInt(++this.count);
    const id = dice.chance(0.1) ? -number : number;
    const ttlSeconds = dice.pick([1, 2, 2, 3, ttlSecondsMax]);
    const lease: HeldLease = { id, granted: false, renewalsLeft: dice.chance(0.3) ? 0 : 1 + dice.below(25) };
    this.lease = lease;
    const sentUs = deps.scheduler.nowUs;
    this.write(process, `grant ${id} for ${ttlSeconds} s`, async ({ services }) => {
      const answer = LeaseGrantResponse.decode(await services.grant(encodeLeaseGrant({ id, ttlSeconds })));
      const granted = { kind: "leaseGrant", id: answer.ID, ttlSeconds: Number(answer.TTL) } as const;
      const arrived = (): void => {
        lease.granted = true;
        deps.leases.promised(id, granted.ttlSeconds, sentUs);
      };
      return { result: granted, arrived };
    });
  }

  private revoke(process: MemberProcess, id: LeaseId): void {
    this.lease = undefined;
    this.deps.leases.waived(id);
    this.write(process, `revoke ${id}`, async ({ services }) => {
      const { header } = LeaseRevokeResponse.decode(await services.revoke(encodeLeaseId(id)));
      return { result: { kind: "leaseRevoke", revision: Number(header!.revision) }, arrived: () => {} };
    });
  }

  private put(process: MemberProcess, id: LeaseId): void {
    const { dice, deps } = this;
    // Some keys are its own, the others are written by everyone.
    const key = dice.chance(0.5) ? `l${this.at}${dice.below(3)}` : `k${dice.below(deps.options.keys)}`;
    const body = encodePut(key, new Uint8Array(dice.below(40)), { prevKv: false, lease: id });
    this.write(process, `put ${key} on lease ${id}`, async ({ member }) => ({
      result: await member.propose(RequestField.Put, body, { timeoutMs: undefined }),
      arrived: () => {},
    }));
  }

  /** A request that goes through the log, and is checked as those of the other clients are. */
  private write(
    process: MemberProcess,
    text: string,
    call: (running: Running) => Promise<{ readonly result: ApplyResult; readonly arrived: () => void }>,
  ): void {
    const { scheduler, checks, trace } = this.deps;
    const startedAt = checks.begin();
    scheduler.after(hopUs, process, () => {
      const running = process.running!;
      if (trace.talkative) trace.whisper(`${this.name} asks ${process.name}: ${text}`);
      let open: OpenWrite | undefined;
      const proposed = (id: bigint): void => {
        open = checks.proposed(id, startedAt, text);
      };
      withProposal(running, proposed, () => call(running)).then(
        ({ result, arrived }) => {
          if (!process.alive) return;
          checks.answered(open!, result);
          if (trace.talkative) trace.whisper(`${this.name} is answered by ${process.name}: ${text}`);
          scheduler.after(hopUs, undefined, arrived);
        },
        (error: unknown) => {
          if (!(error instanceof StoreError)) throw error;
          if (open !== undefined) checks.answered(open, error);
        },
      );
    });
  }

  private renew(process: MemberProcess, id: LeaseId): void {
    const { scheduler } = this.deps;
    const oldest = this.stream?.sent[0];
    const isSlow = oldest !== undefined && scheduler.nowUs - oldest.atUs > renewalPatienceUs;
    if (this.stream?.call.process.alive === false || isSlow || this.dice.chance(0.1)) {
      this.stream?.call.leave();
      this.stream = undefined;
    }
    this.stream ??= this.openStream(process);
    this.stream.sent.push({ id, atUs: scheduler.nowUs });
    this.stream.call.send(encodeLeaseId(id));
  }

  private openStream(process: MemberProcess): Stream {
    const { scheduler, trace } = this.deps;
    const received = ({ bytes }: { readonly bytes: Uint8Array }): void => this.renewed(stream, bytes);
    const ended = (): void => {
      if (this.stream === stream) this.stream = undefined;
    };
    const call = new StreamCall(process, { windowBytes: 65_536 }, { scheduler, trace, received, ended });
    const stream: Stream = { call, sent: [] };
    call.start((running) => running.services.keepAlive);
    return stream;
  }

  private renewed(stream: Stream, bytes: Uint8Array): void {
    const { leases, coverage, trace } = this.deps;
    const { ID, TTL } = LeaseKeepAliveResponse.decode(bytes);
    const { process } = stream.call;
    const asked = stream.sent.shift();
    if (trace.talkative) trace.whisper(`${this.name} <- ${process.name} lease ${ID} is alive for ${TTL} s`);
    if (asked?.id !== ID) throw new Violation("lease answers", `${this.name} is answered for lease ${ID}`);
    if (TTL > 0n) {
      coverage.hit(
        process.role === "leader" ? "lease/kept alive at the leader" : "lease/kept alive at another member",
      );
      leases.promised(ID, Number(TTL), asked.atUs);
      return;
    }
    coverage.hit("lease/kept alive too late");
    leases.saidGone(ID);
    if (this.lease?.id === ID) this.lease = undefined;
  }

  private askTimes(process: MemberProcess, id: LeaseId): void {
    const { leases, coverage } = this.deps;
    const promisedUntilUs = leases.promisedUntilUs(id);
    this.ask(process, async ({ services }) => {
      const { TTL, grantedTTL, keys } = LeaseTimeToLiveResponse.decode(
        await services.times(LeaseTimeToLiveRequest.encode({ ID: id, keys: true }).finish()),
      );
      return () => {
        if (TTL < 0n) leases.saidGone(id);
        else {
          coverage.hit("lease/times told");
          const [remainingSeconds, grantedSeconds] = [Number(TTL), Number(grantedTTL)];
          leases.saidTimes(id, { remainingSeconds, grantedSeconds, keys }, promisedUntilUs);
        }
      };
    });
  }

  private list(process: MemberProcess): void {
    const { leases } = this.deps;
    this.ask(process, async ({ services }) => {
      const listed = LeaseLeasesResponse.decode(await services.list(new Uint8Array(0)));
      return () => leases.saidListed(listed.leases.map(({ ID }) => ID));
    });
  }

  /** A question; what follows from its answer happens when that reaches the client. */
  private ask(process: MemberProcess, question: (running: Running) => Promise<() => void>): void {
    const { scheduler } = this.deps;
    scheduler.after(hopUs, process, () => {
      question(process.running!).then(
        (arrived) => {
          if (process.alive) scheduler.after(hopUs, undefined, arrived);
        },
        (error: unknown) => {
          if (!(error instanceof StoreError)) throw error;
        },
      );
    });
  }
}
