/**
 * The promises about leases, held against the log as it is applied first, and against what clients were told.
 *
 * Time is true time, which no member knows: a member's clock may run up to `fastestRate` times as fast, so a lease of
 * T seconds may end T / fastestRate true seconds after it was granted or kept alive, and no earlier. The client's
 * part begins when it *sent* the request that was acknowledged: an answer may take any time on its way.
 *
 * - No lease ends by its leader before that; no acknowledged keep-alive is for a lease that was gone.
 * - What a leader decides about leases it appends itself, in its own term: it is never passed on to another leader.
 * - A leader counts no more than the log says is left, and an election timeout; and it says what is left often enough.
 * - A lease goes with all its keys, in one revision.
 */

import { decodeLeaseCheckpoints, decodeLeaseGrant, decodeLeaseId } from "../../src/apply/lease-requests.js";
import { decodeRaftRequest, type RaftRequest, RequestField } from "../../src/apply/raft-request.js";
import type { ApplyResult } from "../../src/apply/result.js";
import type { Index, LeaseId, Revision } from "../../src/base/brand.js";
import { bytesToLatin1 } from "../../src/base/bytes.js";
import { StoreError } from "../../src/base/errors.js";
import type { Lessor } from "../../src/lease/lessor.js";
import type { LeaseTimes } from "../../src/ports/lease-peers.js";
import type { Message } from "../../src/raft/message.js";
import { EntryType } from "../../src/raft/types.js";
import type { Coverage } from "./coverage.js";
import type { History } from "./history.js";
import { Violation } from "./violation.js";

/** One lease, as the log has it and as its client may rely on it. */
interface LeaseStory {
  readonly id: LeaseId;
  readonly ttlSeconds: number;
  /** Seconds left by the log; 0: all. */
  remainingSeconds: number;
  /** True time, µs, before which no leader may end it. */
  promisedUntilUs: number;
  /** When its end was applied; undefined while it lives. */
  endedUs: number | undefined;
  endedByLeader: boolean;
}

export interface LeaseChecksDeps {
  readonly history: History;
  readonly coverage: Coverage;
  readonly nowUs: () => number;
  /** How fast clocks run at most and at least, in local seconds per true second. */
  readonly rates: { readonly slowest: number; readonly fastest: number };
  /** What a new leader adds to each lease, ms. */
  readonly extendMs: number;
}

export class LeaseChecks {
  private readonly stories = new Map<LeaseId, LeaseStory>();
  private readonly living = new Map<LeaseId, LeaseStory>();
  /** The leases after each entry that changed them, in order. */
  private readonly states: { readonly index: Index; readonly text: string }[] = [];

  constructor(private readonly deps: LeaseChecksDeps) {}

  get livingCount(): number {
    return this.living.size;
  }

  /** True seconds within which every lease ends that nobody keeps alive, from when a leader counts on. */
  get longestSeconds(): number {
    return (ttlSecondsMax + this.deps.extendMs / 1_000) / this.deps.rates.slowest;
  }

  describe(): string {
    return [...this.living.values()].map(({ id, ttlSeconds }) => `${id} of ${ttlSeconds} s`).join(", ");
  }

  /** The first member applied an entry. Errors: Violation. */
  applied(
    index: Index,
    { id: requestId, field, body }: RaftRequest,
    outcome: ApplyResult | StoreError,
  ): void {
    if (outcome instanceof StoreError) return;
    if (field === RequestField.LeaseGrant) this.granted(decodeLeaseGrant(body));
    else if (field === RequestField.LeaseRevoke) this.ended(index, decodeLeaseId(body), requestId === 0n);
    else if (field === RequestField.LeaseCheckpoint) {
      for (const { id, remainingSeconds } of decodeLeaseCheckpoints(body))
        this.checkpointed(id, remainingSeconds);
    } else return;
    this.states.push({ index, text: stateText(this.living.values()) });
  }

  /** A message leaves a member. Errors: Violation where it passes on what a leader decided about leases. */
  sent(message: Message): void {
    if (message.type !== "MsgProp") return;
    for (const { type, data } of message.entries) {
      if (type !== EntryType.Normal || data.length === 0) continue;
      const { id, field } = decodeRaftRequest(data);
      if (id !== 0n || (field !== RequestField.LeaseRevoke && field !== RequestField.LeaseCheckpoint))
        continue;
      throw new Violation("deposed leader", `${message.from} has another leader end or checkpoint a lease`);
    }
  }

  /** A client was told that its lease lives for so long; it had asked at `sentUs`. Errors: Violation. */
  promised(id: LeaseId, ttlSeconds: number, sentUs: number): void {
    const story = this.stories.get(id);
    if (story === undefined) throw new Violation("lease answers", `lease ${id} was never granted`);
    if (story.ttlSeconds !== ttlSeconds)
      throw new Violation(
        "lease answers",
        `lease ${id} of ${story.ttlSeconds} s is said to have ${ttlSeconds}`,
      );
    const untilUs = sentUs + (ttlSeconds * 1e6) / this.deps.rates.fastest;
    story.promisedUntilUs = Math.max(story.promisedUntilUs, untilUs);
    if (story.endedUs === undefined) return;
    if (story.endedUs < sentUs) {
      const text = `lease ${id} is said to live, and ended ${since(story.endedUs, sentUs)} before it was asked for`;
      throw new Violation("lease kept alive", text);
    }
    if (story.endedByLeader && story.endedUs < untilUs) {
      const text = `lease ${id} of ${ttlSeconds} s is said to live, and ended ${since(story.endedUs, untilUs)} too early`;
      throw new Violation("lease ended early", text);
    }
  }

  /** A client revokes its lease: nobody promises it any more time. */
  waived(id: LeaseId): void {
    const story = this.stories.get(id);
    if (story !== undefined) story.promisedUntilUs = Number.NEGATIVE_INFINITY;
  }

  /** A client was told that there is no such lease, which had been granted before it asked. Errors: Violation. */
  saidGone(id: LeaseId): void {
    const story = this.living.get(id);
    if (story !== undefined)
      throw new Violation("lease vanished", `lease ${id} is said to be gone, and nothing ended it`);
  }

  /** Until when a lease is promised to live as of now, true µs. */
  promisedUntilUs(id: LeaseId): number {
    return this.stories.get(id)?.promisedUntilUs ?? 0;
  }

  /** A client was told how much is left of what it was promised when it asked. Errors: Violation. */
  saidTimes(
    id: LeaseId,
    { remainingSeconds, grantedSeconds, keys }: LeaseTimes,
    promisedUntilUs: number,
  ): void {
    const story = this.stories.get(id);
    const { rates, nowUs, extendMs, history } = this.deps;
    if (story === undefined || story.ttlSeconds !== grantedSeconds)
      throw new Violation("lease answers", `lease ${id} is said to be granted for ${grantedSeconds} s`);
    const leastSeconds = ((promisedUntilUs - nowUs()) / 1e6) * rates.slowest - 1;
    if (remainingSeconds < leastSeconds || remainingSeconds > grantedSeconds + extendMs / 1_000)
      throw new Violation(
        "lease answers",
        `lease ${id} is said to have ${remainingSeconds} s, not ${leastSeconds}`,
      );
    for (const key of keys.map((bytes) => bytesToLatin1(bytes))) {
      if (!history.wasEverOn(id, key))
        throw new Violation("lease answers", `${key} was never on lease ${id}`);
    }
  }

  /** A member lists its leases. Errors: Violation. */
  saidListed(ids: readonly LeaseId[]): void {
    const unknown = ids.find((id) => !this.stories.has(id));
    if (unknown !== undefined)
      throw new Violation("lease answers", `lease ${unknown} is listed, and was never granted`);
  }

  /** Holds the leases of a member that has applied the log up to `index` against it. Errors: Violation. */
  checkLessor(
    member: string,
    lessor: Lessor,
    at: { readonly index: Index; readonly revision: Revision },
  ): void {
    const expected = this.states.findLast(({ index }) => index <= at.index)?.text ?? "";
    const found = stateText(lessor.all());
    if (found !== expected)
      throw new Violation(
        "leases",
        `at index ${at.index} ${member} has ${found || "none"}, the log ${expected || "none"}`,
      );
    for (const { id, keys } of lessor.all()) {
      const written = this.deps.history.keysOn(id, at.revision);
      if (written.join() !== keys.join())
        throw new Violation("leases", `${member} has ${keys} on lease ${id}, the history ${written}`);
    }
  }

  /** Counts what happens to the countdowns of a member when it comes to lead, and when it does no more. */
  countChanges(lessor: Lessor): void {
    const { coverage } = this.deps;
    const { timing } = lessor;
    const promote = timing.promote.bind(timing);
    timing.promote = (leases, extendMs) => {
      if ([...lessor.all()].some(({ remainingSeconds }) => remainingSeconds > 0))
        coverage.hit("lease/taken over with a checkpoint");
      promote(leases, extendMs);
    };
    const demote = timing.demote.bind(timing);
    timing.demote = (leases) => {
      if (timing.earliestExpired() !== undefined) coverage.hit("lease/ran out while its leader was deposed");
      demote(leases);
    };
  }

  /** Holds what a leader counts against what the log says. Errors: Violation. */
  checkCountdowns(member: string, lessor: Lessor): void {
    const { timing } = lessor;
    if (!timing.leading) return;
    const { toCheckpoint } = timing as unknown as { readonly toCheckpoint: readonly unknown[] };
    for (const lease of lessor.all()) {
      const { countdown, remainingSeconds, ttlSeconds } = lease;
      const leftMs = timing.remainingMs(lease)!;
      if (countdown?.clearing !== undefined) continue;
      const knownMs = (remainingSeconds > 0 ? remainingSeconds : ttlSeconds) * 1_000;
      // The time of a tick is cut to whole milliseconds.
      if (leftMs > knownMs + this.deps.extendMs + 1)
        throw new Violation(
          "remaining time",
          `${member} gives lease ${lease.id} ${leftMs} ms, the log ${knownMs}`,
        );
      if (countdown === undefined || countdown.freshMs > 0 || countdown.checkpointsOut > 0 || leftMs < 0)
        continue;
      const mostMs = Math.max(1_000, ttlSeconds * (countdown.wasRenewed ? 400 : 200)) + checkpointSlackMs;
      if (toCheckpoint.length === 0 && knownMs - leftMs > mostMs)
        throw new Violation(
          "checkpoints",
          `lease ${lease.id} has ${leftMs} ms at ${member}, the log says ${knownMs}`,
        );
    }
  }

  private granted({ id, ttlSeconds }: { readonly id: LeaseId; readonly ttlSeconds: number }): void {
    const story = {
      id,
      ttlSeconds,
      remainingSeconds: 0,
      promisedUntilUs: 0,
      endedUs: undefined,
      endedByLeader: false,
    };
    this.stories.set(id, story);
    this.living.set(id, story);
    this.deps.coverage.hit("lease/granted");
  }

  private checkpointed(id: LeaseId, remainingSeconds: number): void {
    const story = this.living.get(id);
    if (story === undefined) return;
    this.deps.coverage.hit(remainingSeconds > 0 ? "lease/checkpointed" : "lease/checkpoint taken back");
    story.remainingSeconds = Math.min(remainingSeconds, story.ttlSeconds);
  }

  private ended(index: Index, id: LeaseId, byLeader: boolean): void {
    const { coverage, nowUs } = this.deps;
    const story = this.living.get(id)!;
    if (byLeader && nowUs() < story.promisedUntilUs) {
      const text = `lease ${id} of ${story.ttlSeconds} s ended ${since(nowUs(), story.promisedUntilUs)} too early`;
      throw new Violation("lease ended early", text);
    }
    coverage.hit(byLeader ? "lease/expired" : "lease/revoked by its client");
    if (byLeader && story.remainingSeconds > 0) coverage.hit("lease/expired with a checkpoint");
    story.endedUs = nowUs();
    story.endedByLeader = byLeader;
    this.living.delete(id);
    this.checkKeysGone(index, id);
  }

  private checkKeysGone(index: Index, id: LeaseId): void {
    const { history, coverage } = this.deps;
    const last = history.revision;
    const wrote = history.indexOfRevision(last) === index;
    const keys = history.keysOn(id, wrote ? last - 1 : last);
    const gone = wrote
      ? history.changesAt(last).map(({ kind, key }) => (kind === "delete" ? key : `put ${key}`))
      : [];
    if (keys.length > 1) coverage.hit("lease/ended with several keys");
    if (gone.sort().join() === keys.join()) return;
    throw new Violation("keys of a lease", `lease ${id} had ${keys}, and with it went ${gone}`);
  }
}

/** Clients ask for no more. */
export const ttlSecondsMax = 5;
/** Rounding to seconds, and two ticks. */
const checkpointSlackMs = 1_300;

function stateText(
  leases: Iterable<{ readonly id: LeaseId; readonly ttlSeconds: number; readonly remainingSeconds: number }>,
): string {
  return [...leases]
    .map(({ id, ttlSeconds, remainingSeconds }) => `${id}:${ttlSeconds}:${remainingSeconds}`)
    .sort()
    .join(" ");
}

function since(fromUs: number, toUs: number): string {
  return `${Math.round((toUs - fromUs) / 1_000)} ms`;
}
