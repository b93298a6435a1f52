/** How often the driver has the core take a turn. If this fails, each write costs the processor a turn that does nothing. */
import { expect, test } from "vitest";
import { encodeRaftRequest, RequestField } from "../../src/apply/raft-request.js";
import { latin1ToBytes } from "../../src/base/bytes.js";
import { silentLogger } from "../../src/base/logger.js";
import { PutRequest } from "../../src/gen/etcdserver.js";
import type { CoreEvent, Effects } from "../../src/member/core/events.js";
import { Driver, type DriverDeps } from "../../src/member/driver.js";
import type { RaftLog } from "../../src/ports/raft-log.js";
import { CoreCluster } from "../lease/core-cluster.js";

/** A driver of a member that leads alone. */
function drive(log: Pick<RaftLog, "append">): {
  readonly driver: Driver;
  readonly turns: Effects[];
  readonly failures: unknown[];
} {
  const cluster = new CoreCluster(1);
  cluster.elect(cluster.members[0]!);
  const { core } = cluster.leader;
  const turns: Effects[] = [];
  const failures: unknown[] = [];
  // What a member that is alone and never cut asks of what stands around it.
  const deps = {
    core,
    log,
    keeper: { advanceDurable: () => {}, afterApply: () => {}, tick: () => {} },
    peers: { send: () => {} },
    clock: { monotonicMs: () => 0, every: () => () => {}, after: () => () => {} },
    logger: silentLogger,
    durableIndex: core.raft.state.log.lastIndex(),
    observe: (effects: Effects) => turns.push(effects),
    fail: (error: unknown) => failures.push(error),
  } as unknown as DriverDeps;
  const options = { id: cluster.leader.id, heartbeatIntervalMs: 100, fsync: true };
  return { driver: new Driver(options, deps), turns, failures };
}

/** Everything that is scheduled by now, and by that in turn, has run. */
async function settle(): Promise<void> {
  for (let round = 0; round < 5; round++) await new Promise((resolve) => setImmediate(resolve));
}

const body = PutRequest.encode(PutRequest.fromPartial({ key: latin1ToBytes("a") })).finish();
const put: CoreEvent = {
  type: "propose",
  id: 7n,
  data: encodeRaftRequest({ id: 7n, field: RequestField.Put, body }),
};
const disks: Readonly<Record<string, Pick<RaftLog, "append">>> = {
  "is written on the event loop": { append: () => undefined },
  "is written by a thread": { append: () => new Promise((resolve) => setImmediate(resolve)) },
};

test.for(Object.entries(disks))(
  "a write that %s takes two turns: one that begins it, one that applies it",
  async ([, log]) => {
    const { driver, turns, failures } = drive(log);
    await settle();
    turns.length = 0;
    driver.push(put);
    await settle();
    expect(failures).toEqual([]);
    expect(turns.map(({ applied }) => applied.map(({ id }) => id))).toEqual([[], [7n]]);
    await driver.stop();
  },
);

test("a disk that fails stops the member, whether it says so at once or later", async () => {
  const broken = new Error("the disk is broken");
  const throwing = (): never => {
    throw broken;
  };
  for (const append of [throwing, () => Promise.reject(broken)]) {
    const { driver, turns, failures } = drive({ append });
    await settle();
    driver.push(put);
    await settle();
    expect(failures).toEqual([broken]);
    expect(turns.flatMap(({ applied }) => applied)).toEqual([]);
    await driver.stop();
  }
});
