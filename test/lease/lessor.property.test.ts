/**
 * The lessor of a leader against a model in which every lease is a line: when it ends at the earliest, and what a
 * successor would know of it. The log of this leader applies what it takes at once, or refuses it.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { MetricRegistry } from "../../src/base/metrics.js";
import { leaseMetrics } from "../../src/lease/lease-metrics.js";
import { Lessor } from "../../src/lease/lessor.js";
import { MemoryRecords } from "./core-cluster.js";

const extendMs = 1_000;
const ids = fc.integer({ min: 1, max: 6 });

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("grant" as const),
      id: ids,
      ttl: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("renew" as const), id: ids }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("revoke" as const), id: ids }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("tick" as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("successor" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("logRefuses" as const) }) },
);

interface Expected {
  readonly ttl: number;
  /** Not one millisecond before this may it end. */
  notBeforeMs: number;
}

class Run {
  readonly records = new MemoryRecords();
  readonly expected = new Map<number, Expected>();
  readonly pending = new Map<number, number>();
  lessor = this.open();
  nowMs = 5_000;
  private nextTicket = 1;

  open(): Lessor {
    const lessor = new Lessor({ records: this.records, metrics: leaseMetrics(new MetricRegistry()) });
    lessor.timing.promote(lessor.all(), extendMs);
    return lessor;
  }

  grant(id: number, ttl: number): void {
    if (this.expected.has(id)) {
      expect(() => this.lessor.grant(BigInt(id), ttl)).toThrow("LeaseExist");
      return;
    }
    this.lessor.grant(BigInt(id), ttl);
    this.expected.set(id, { ttl, notBeforeMs: this.nowMs + ttl * 1_000 });
  }

  renew(id: number): void {
    const ticket = this.nextTicket++;
    this.pending.set(ticket, id);
    this.lessor.timing.renew(this.lessor.find(BigInt(id)), ticket);
    this.work();
  }

  revoke(id: number): void {
    const lease = this.lessor.find(BigInt(id));
    if (lease !== undefined) this.lessor.remove(lease);
    this.expected.delete(id);
    this.work();
  }

  /** Everything that the leader's duty does between two events, with a log that answers at once. */
  work(accepts = true): void {
    const { timing } = this.lessor;
    const checkpoints = timing.takeCheckpoints();
    if (!accepts) timing.checkpointsFailed(checkpoints, (id) => this.lessor.find(id));
    else for (const { id, remainingSeconds } of checkpoints) this.lessor.checkpoint(id, remainingSeconds);
    for (const lease of timing.takeExpired(this.nowMs, 100)) {
      const { notBeforeMs } = this.expected.get(Number(lease.id))!;
      expect(this.nowMs).toBeGreaterThanOrEqual(notBeforeMs);
      this.lessor.remove(lease);
      this.expected.delete(Number(lease.id));
    }
    for (const { ticket, ttlSeconds } of timing.takeAnswers()) this.answered(ticket, ttlSeconds);
  }

  answered(ticket: number, ttlSeconds: number | undefined): void {
    const id = this.pending.get(ticket)!;
    this.pending.delete(ticket);
    const lease = this.expected.get(id);
    if (ttlSeconds === 0) expect(lease).toBeUndefined();
    else if (ttlSeconds !== undefined) {
      expect(ttlSeconds).toBe(lease!.ttl);
      lease!.notBeforeMs = this.nowMs + ttlSeconds * 1_000;
    }
  }

  successor(): void {
    this.lessor.timing.demote(this.lessor.all());
    for (const { ticket, ttlSeconds } of this.lessor.timing.takeAnswers()) this.answered(ticket, ttlSeconds);
    expect(this.pending.size).toBe(0);
    expect(this.lessor.timing.leading).toBe(false);
    this.lessor = this.open();
  }
}

test("no lease ends early, whoever leads; every keep-alive is answered; what should have ended does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const run = new Run();
      run.lessor.timing.tick(run.nowMs);
      for (const action of steps) {
        if (action.kind === "grant") run.grant(action.id, action.ttl);
        else if (action.kind === "renew") run.renew(action.id);
        else if (action.kind === "revoke") run.revoke(action.id);
        else if (action.kind === "successor") run.successor();
        else if (action.kind === "tick") {
          run.nowMs += action.ms;
          run.lessor.timing.tick(run.nowMs);
          run.work();
        } else run.work(false);
      }
      expect(run.lessor.count).toBe(run.expected.size);
      // Two ticks: one to begin to count what is new, one behind the last deadline.
      run.lessor.timing.tick(run.nowMs);
      run.nowMs += 40_000;
      run.lessor.timing.tick(run.nowMs);
      run.work();
      expect(run.lessor.count).toBe(0);
      expect(run.pending.size).toBe(0);
      expect(run.records.listState("")).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
