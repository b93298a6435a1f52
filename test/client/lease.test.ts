import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { limits } from "../../src/base/limits.js";
import { GrpcCode } from "../../src/client/errors.js";
import { HomeKeeper } from "../../src/client/home.js";
import type { KeepAliveOptions, KeptLease, LeaseLostError } from "../../src/client/kept-lease.js";
import { Leases } from "../../src/client/lease.js";
import { type LeaseKeepAliveRequest, LeaseKeepAliveResponse } from "../../src/gen/etcdserver.js";
import { FakeConnection, failure } from "./fake-connection.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const ttlSeconds = 9;

class GrantingConnection extends FakeConnection<LeaseKeepAliveRequest, LeaseKeepAliveResponse> {
  private granted = 0n;
  override unary(): Promise<never> {
    return Promise.resolve({ ID: ++this.granted, TTL: BigInt(ttlSeconds) } as never);
  }
}

async function keep(options: KeepAliveOptions = {}) {
  const connection = new GrantingConnection();
  const leases = new Leases(connection);
  const lease = await leases.keep(ttlSeconds, options);
  await pass(0);
  return { connection, leases, lease };
}

const pass = (durationMs: number) => vi.advanceTimersByTimeAsync(durationMs);

function renew(connection: FakeConnection<LeaseKeepAliveRequest, LeaseKeepAliveResponse>, ID = 1n): void {
  connection.latest.answer(LeaseKeepAliveResponse.create({ ID, TTL: BigInt(ttlSeconds) }));
}

const reasonOf = (lease: KeptLease): LeaseLostError => lease.lost.reason as LeaseLostError;

describe("a kept lease", () => {
  test("is asked to be renewed at once, and then each third of its time", async () => {
    const renewed = vi.fn();
    const { connection, lease } = await keep({ onRenewed: renewed });
    for (let count = 1; count <= 5; count++) {
      expect(connection.latest.sent).toEqual(Array(count).fill({ ID: 1n }));
      renew(connection);
      await pass(2_999);
      expect(connection.latest.sent.length).toBe(count);
      await pass(1);
    }
    expect([renewed.mock.calls.length, lease.lost.aborted, lease.ttlSeconds]).toEqual([5, false, 9]);
  });

  test("is lost when its time has passed since the last request that was answered was sent", async () => {
    const { connection, lease } = await keep();
    // The answer takes two seconds: the lease may be renewed at the server's end since before that.
    await pass(2_000);
    renew(connection);
    connection.refusal = failure(GrpcCode.Unavailable, "nobody there");
    connection.latest.break();
    await pass(6_999);
    expect(lease.lost.aborted).toBe(false);
    await pass(1);
    expect(lease.lost.aborted).toBe(true);
    expect(reasonOf(lease)).toMatchObject({ code: GrpcCode.DeadlineExceeded, leaseId: 1n });
    expect(reasonOf(lease).cause).toMatchObject({ message: "nobody there" });
  });

  test("is lost at once when the server says that it is no more", async () => {
    const { connection, lease } = await keep();
    connection.latest.answer(LeaseKeepAliveResponse.create({ ID: 1n, TTL: 0n }));
    expect(reasonOf(lease)).toMatchObject({ code: GrpcCode.NotFound, leaseId: 1n });
    // With no lease to keep there is no stream to keep.
    expect(connection.latest.isOver).toBe(true);
  });

  test("is asked for again on each new stream", async () => {
    const { connection, lease } = await keep();
    renew(connection);
    connection.latest.break();
    await pass(100);
    expect(connection.streams.length).toBe(2);
    expect(connection.latest.sent).toEqual([{ ID: 1n }]);
    renew(connection);
    await pass(8_000);
    expect(lease.lost.aborted).toBe(false);
  });

  test("goes to another endpoint when there is no answer for a third of its time", async () => {
    const { connection, lease } = await keep();
    await pass(3_001);
    const [stuck] = connection.streams;
    expect([stuck!.hasLeftEndpoint, stuck!.isOver, connection.streams.length]).toEqual([true, true, 2]);
    expect(connection.latest.sent).toEqual([{ ID: 1n }]);
    renew(connection);
    await pass(8_900);
    expect(lease.lost.aborted).toBe(false);
  });

  test("is tried to be kept to its end, whatever the error", async () => {
    const { connection, lease } = await keep();
    renew(connection);
    connection.latest.break(failure(GrpcCode.PermissionDenied));
    await pass(limits.clientReopenPauseMsMax);
    expect(connection.streams.length).toBe(2);
    renew(connection);
    await pass(8_000);
    expect(lease.lost.aborted).toBe(false);
  });

  test("that is stopped is neither renewed nor lost", async () => {
    const controller = new AbortController();
    const { connection, lease } = await keep({ signal: controller.signal });
    controller.abort();
    await pass(60_000);
    expect([connection.latest.sent.length, lease.lost.aborted]).toEqual([1, false]);
  });

  test("is lost with the client that kept it", async () => {
    const { connection, lease } = await keep();
    connection.latest.break(failure(GrpcCode.Canceled, "the client is closed"));
    expect(reasonOf(lease)).toMatchObject({ code: GrpcCode.Canceled });
  });

  test("shares one stream with a thousand others", async () => {
    const { connection, leases } = await keep();
    for (let count = 1; count < 1_000; count++) await leases.keep(ttlSeconds);
    await pass(0);
    for (let id = 1n; id <= 1_000n; id++) renew(connection, id);
    await pass(3_000);
    expect(connection.streams.length).toBe(1);
    expect(new Set(connection.latest.sent.map(({ ID }) => ID)).size).toBe(1_000);
  });

  test("of another one's making lives by what the first answer says, if that comes in time", async () => {
    const connection = new GrantingConnection();
    const leases = new Leases(connection);
    const kept = leases.keepAlive(7n);
    expect(() => leases.keepAlive(7n)).toThrow("kept alive by this client already");
    const dead = leases.keepAlive(8n);
    await pass(0);
    renew(connection, 7n);
    await pass(limits.clientLeaseFirstAnswerMs);
    expect([kept.lost.aborted, dead.lost.aborted]).toEqual([false, true]);
  });
});

describe("the home endpoint", () => {
  const endpoint = { endpoint: { name: "home" } };

  function away(isWell: () => boolean) {
    const channels = {
      homeToReturnTo: endpoint as never as undefined,
      returnHome: vi.fn(() => {
        channels.homeToReturnTo = undefined;
      }),
    };
    const unary = vi.fn(() =>
      isWell() ? Promise.resolve({}) : Promise.reject(failure(GrpcCode.Unavailable)),
    );
    const returned = vi.fn();
    const keeper = new HomeKeeper(channels, { unary: unary as never }, returned);
    return { channels, unary, returned, keeper };
  }

  test("is returned to when it answers again, once", async () => {
    let isWell = false;
    const { channels, unary, returned, keeper } = away(() => isWell);
    keeper.check();
    keeper.check();
    await pass(2 * limits.clientHomeCheckMs);
    expect([unary.mock.calls.length > 0, returned.mock.calls.length]).toEqual([true, 0]);
    isWell = true;
    await pass(2 * limits.clientHomeCheckMs);
    expect([channels.returnHome.mock.calls.length, returned.mock.calls.length]).toEqual([1, 1]);
    const asked = unary.mock.calls.length;
    keeper.check();
    await pass(10 * limits.clientHomeCheckMs);
    expect(unary.mock.calls.length).toBe(asked);
  });

  test("is not looked for by a client that is closed", async () => {
    const { unary, keeper } = away(() => true);
    keeper.check();
    keeper.stop();
    await pass(10 * limits.clientHomeCheckMs);
    expect(unary).not.toHaveBeenCalled();
  });
});
