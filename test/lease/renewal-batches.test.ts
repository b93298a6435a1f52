import { expect, test } from "vitest";
import { limits } from "../../src/base/limits.js";
import { RenewalBatches } from "../../src/member/renewal-batches.js";
import type { LeasePeers, RenewedSeconds } from "../../src/ports/lease-peers.js";

interface Call {
  readonly leader: bigint;
  readonly leases: readonly bigint[];
  readonly answer: (answers: readonly RenewedSeconds[]) => void;
  readonly fail: (error: Error) => void;
}

/** A leader that answers when the test says so. */
class SlowPeers implements LeasePeers {
  readonly calls: Call[] = [];

  renewLeases(leader: bigint, leases: readonly bigint[]): Promise<readonly RenewedSeconds[]> {
    return new Promise((answer, fail) => this.calls.push({ leader, leases, answer, fail }));
  }

  leaseTimes(): Promise<"unknown"> {
    throw new Error("not asked here");
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("what comes in one turn travels in one call, and each gets its own answer", async () => {
  const peers = new SlowPeers();
  const batches = new RenewalBatches({ timeoutMs: 1_000 }, { peers });
  const asked = [1n, 2n, 3n].map((lease) => batches.renew(9n, lease));
  await nextTurn();
  expect(peers.calls.map(({ leases }) => leases)).toEqual([[1n, 2n, 3n]]);
  peers.calls[0]!.answer([10, 0, undefined]);
  expect(await Promise.all(asked)).toEqual([10, 0, undefined]);
});

test("a call that fails fails for all in it, and for nobody else", async () => {
  const peers = new SlowPeers();
  const batches = new RenewalBatches({ timeoutMs: 1_000 }, { peers });
  const lost = batches.renew(9n, 1n).catch((error: Error) => error.message);
  await nextTurn();
  const kept = batches.renew(9n, 2n);
  await nextTurn();
  peers.calls[0]!.fail(new Error("no link"));
  peers.calls[1]!.answer([5]);
  expect([await lost, await kept]).toEqual(["no link", 5]);
});

test("a leader that sleeps keeps nobody waiting once another one is known", async () => {
  const peers = new SlowPeers();
  const batches = new RenewalBatches({ timeoutMs: 60_000 }, { peers });
  const atOld = batches.renew(9n, 1n);
  await nextTurn();
  const gathering = batches.renew(9n, 2n);
  batches.leaderChanged(8n);
  expect(await Promise.all([atOld, gathering])).toEqual([undefined, undefined]);
  const atNew = batches.renew(8n, 1n);
  await nextTurn();
  batches.leaderChanged(8n);
  peers.calls.at(-1)!.answer([7]);
  expect(await atNew).toBe(7);
});

test("no more calls are out than the bound says; the rest gathers and goes together", async () => {
  const peers = new SlowPeers();
  const batches = new RenewalBatches({ timeoutMs: 1_000 }, { peers });
  for (let at = 0; at < limits.renewalCallsMax; at++) {
    void batches.renew(9n, BigInt(at));
    await nextTurn();
  }
  const late = [batches.renew(9n, 1_001n), batches.renew(9n, 1_002n)];
  await nextTurn();
  expect(peers.calls).toHaveLength(limits.renewalCallsMax);
  peers.calls[0]!.answer([1]);
  await nextTurn();
  await nextTurn();
  expect(peers.calls.at(-1)!.leases).toEqual([1_001n, 1_002n]);
  peers.calls.at(-1)!.answer([3, 4]);
  expect(await Promise.all(late)).toEqual([3, 4]);
});
