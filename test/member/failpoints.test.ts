/** Where etcd's failpoints lie in a member. If this fails, etcd's own fault tests stop it in places that mean nothing. */
import { afterEach, describe, expect, test } from "vitest";
import { RequestField } from "../../src/apply/raft-request.js";
import { type FailpointName, failpointNames, failpoints } from "../../src/base/failpoint.js";
import { silentLogger } from "../../src/base/logger.js";
import type { Member } from "../../src/member/contract.js";
import { LeaseDesk, type LeaseDeskDeps } from "../../src/member/lease-desk.js";
import { Publisher } from "../../src/member/publisher.js";
import { StoreKeeper, type StoreKeeperDeps } from "../../src/member/store-keeper.js";
import type { LeasePeers } from "../../src/ports/lease-peers.js";
import type { RevisionStore } from "../../src/ports/revision-store.js";
import { nodeClock } from "../../src/server/node-clock.js";
import { CoreCluster } from "../lease/core-cluster.js";

afterEach(() => {
  for (const name of failpointNames) failpoints[name] = undefined;
});

/** From now on `order` tells when one of `names` was reached. */
function record(order: string[], ...names: readonly FailpointName[]): void {
  for (const name of names) {
    failpoints[name] = () => {
      order.push(name);
      return undefined;
    };
  }
}

function ledCluster(): CoreCluster {
  const cluster = new CoreCluster(1);
  cluster.elect(cluster.members[0]!);
  return cluster;
}

test("beforeApplyOneEntryNormal: the entry is committed and has changed nothing yet", () => {
  const cluster = ledCluster();
  const { mvcc } = cluster.leader;
  const revisions: number[] = [];
  failpoints.beforeApplyOneEntryNormal = () => {
    revisions.push(mvcc.revision);
    return undefined;
  };
  cluster.put("a", 0n);
  cluster.put("b", 0n);
  expect(revisions).toEqual([1, 2]);
});

test("beforeCheckpointInLeaseRenew: once for each keep-alive of a lease that is there", () => {
  const cluster = ledCluster();
  cluster.grant(5n, 60);
  const order: string[] = [];
  record(order, "beforeCheckpointInLeaseRenew");
  expect(cluster.renew(404n)).toBe(0);
  expect(order).toEqual([]);
  expect(cluster.renew(5n)).toBe(60);
  expect(order).toEqual(["beforeCheckpointInLeaseRenew"]);
});

describe("questions for the time that is left of a lease", () => {
  const here: FailpointName = "beforeLookupWhenLeaseTimeToLive";
  const forwarded: FailpointName = "beforeLookupWhenForwardLeaseTimeToLive";

  function desk(order: string[]): LeaseDesk {
    const cluster = ledCluster();
    cluster.grant(5n, 60);
    const { core, id } = cluster.leader;
    const deps: Partial<LeaseDeskDeps> = {
      core,
      clock: nodeClock,
      peers: {} as LeasePeers,
      leaders: { current: id, until: async () => true } as unknown as LeaseDeskDeps["leaders"],
      linearize: async () => {
        order.push("confirmed");
      },
    };
    record(order, here, forwarded);
    return new LeaseDesk({ memberId: id, requestTimeoutMs: 5_000 }, deps as LeaseDeskDeps);
  }

  test(`${here}: the leader is confirmed and has not looked yet`, async () => {
    const order: string[] = [];
    const times = await desk(order).times(5n, { timeoutMs: undefined, keys: false });
    expect(times?.grantedSeconds).toBe(60);
    expect(order).toEqual(["confirmed", here]);
  });

  test(`${forwarded}: the same where another member asks`, async () => {
    const order: string[] = [];
    expect(await desk(order).timesHere(5n, { keys: false })).toMatchObject({ grantedSeconds: 60 });
    expect(order).toEqual(["confirmed", forwarded]);
  });
});

test("beforePublishing: at each start, before the member asks or says anything", async () => {
  const order: string[] = [];
  record(order, "beforePublishing");
  let name = "";
  const member: Partial<Member> = {
    linearize: (async () => {
      order.push("linearize");
    }) as unknown as Member["linearize"],
    members: () => [{ id: 1n, name, peerUrls: [], clientUrls: [], isLearner: false }],
    propose: (async (field: number) => {
      order.push(`propose ${field}`);
      name = "m1";
    }) as unknown as Member["propose"],
    status: () => ({ clusterVersion: "3.7.0" }) as ReturnType<Member["status"]>,
  };
  const options = { memberId: 1n, name: "m1", clientUrls: [], clusterVersion: "3.7.0" };
  await new Publisher(options, { member: member as Member, logger: silentLogger }).run();
  expect(order.slice(0, 3)).toEqual([
    "beforePublishing",
    "linearize",
    `propose ${RequestField.ClusterMemberAttrSet}`,
  ]);
});

test("applyAfterOpenSnapshot: the image is the store, and the state in memory is still the old one", async () => {
  const order: string[] = [];
  record(order, "applyBeforeOpenSnapshot", "applyAfterOpenSnapshot");
  const old = { close: async () => void order.push("old store closed") } as unknown as RevisionStore;
  const installed = { durableApplied: { index: 9, term: 2 } } as RevisionStore;
  const cluster = ledCluster();
  const { core } = cluster.leader;
  const deps: Partial<StoreKeeperDeps> = {
    core,
    logger: silentLogger,
    rebuild: async () => {
      order.push("rebuilt");
      return core.state;
    },
  };
  const keeper = new StoreKeeper(old, deps as StoreKeeperDeps);
  const image = {
    applied: { index: 9, term: 2 },
    install: async () => {
      order.push("installed");
      return installed;
    },
    discard: async () => {},
  };
  await keeper.install(image, core);
  expect(keeper.store).toBe(installed);
  expect(order).toEqual([
    "old store closed",
    "applyBeforeOpenSnapshot",
    "installed",
    "applyAfterOpenSnapshot",
    "rebuilt",
  ]);
});
