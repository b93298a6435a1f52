/** All scenarios in their long form. Short forms of most run in `npm test` (test/cluster). */
import { runCatchUp } from "./catch-up.js";
import { runCleanStops } from "./clean-stop.js";
import { runCrash } from "./crash.js";
import { runDamages } from "./damage.js";
import { runDeadFollower } from "./dead-follower.js";
import { reachableFailpoints, runFailpointLoop } from "./failpoint-loop.js";
import { runLeases } from "./lease.js";
import { runLeaseMass } from "./lease-mass.js";
import { namespacesMissing } from "./namespaces.js";
import { runPartitions } from "./partition.js";
import { runPauses } from "./pause.js";
import type { Scenario } from "./scenario.js";
import { runWatch } from "./watch.js";
import { runWatchCrowd } from "./watch-crowd.js";

const mebibyte = 1024 * 1024;
const newSeed = (): number => Date.now() % 1_000_000_000;

const crash: Scenario = {
  name: "crash",
  about: "leader, then everyone, killed under load: acknowledged writes stand, writes are back in time",
  run: ({ binary, rounds, log }) =>
    runCrash(binary, {
      rounds: rounds ?? 20,
      writers: 8,
      valueBytes: 256,
      putsBetween: 300,
      electionTimeoutMs: 1_000,
      writesBackMsMax: 3_000,
      snapshotCount: 500,
      log,
    }),
};

/** Places on the way of a received image, in their order. */
const snapshotDeaths = [
  "receiving",
  { failpoint: "raftBeforeApplySnap" },
  { failpoint: "applyBeforeOpenSnapshot" },
  { failpoint: "applyAfterOpenSnapshot" },
  { failpoint: "raftAfterApplySnap" },
  { failpoint: "raftBeforeSaveSnap" },
  { failpoint: "raftBeforeWALSaveSnaphot" },
  { failpoint: "raftAfterSaveSnap" },
  { failpoint: "raftAfterWALRelease" },
] as const;

const catchUp: Scenario = {
  name: "catch-up",
  about: "a follower behind the cut gets an image of the store, dies in the middle of it, gets it at last",
  run: ({ binary, log }) =>
    runCatchUp(binary, {
      fillBytes: 0,
      valueBytes: 256,
      putsMissed: 500,
      writesMeanwhile: true,
      deaths: snapshotDeaths,
      log,
    }),
};

const catchUpLarge: Scenario = {
  name: "catch-up-large",
  about: "the same with a store of 50 MB",
  run: ({ binary, log }) =>
    runCatchUp(binary, {
      fillBytes: 50 * mebibyte,
      valueBytes: 32 * 1024,
      putsMissed: 300,
      writesMeanwhile: false,
      deaths: ["receiving", "receiving", { failpoint: "raftAfterApplySnap" }],
      log,
    }),
};

const failpoints: Scenario = {
  name: "failpoints",
  about: "a member dies at each named place under load: acknowledged writes stand, the members agree",
  run: ({ binary, log }) => runFailpointLoop(binary, { names: reachableFailpoints, log }),
};

const pauses: Scenario = {
  name: "pauses",
  about: "the leader stands still while others lead, members are killed: no stale read, all linearizable",
  run: ({ binary, rounds, log }) =>
    runPauses(binary, { rounds: rounds ?? 10, answersBetween: 1_000, kills: true, log }),
};

const partitions: Scenario = {
  name: "partitions",
  about: "a leader cut off serves nothing that needs a quorum; a broken link stops nobody; all agree after",
  run: async ({ binary, rounds, log }) =>
    namespacesMissing() ?? runPartitions(binary, { rounds: rounds ?? 8, answersBetween: 500, log }),
};

const cleanStops: Scenario = {
  name: "clean-stops",
  about: "SIGTERM on the leader under load: nothing lost, writes back within a second, gone within 1.5 s",
  run: ({ binary, rounds, log }) =>
    runCleanStops(binary, { rounds: rounds ?? 10, writesBackMsMax: 1_000, exitMsMax: 1_500, log }),
};

const damages: Scenario = {
  name: "damage",
  about: "bits flipped, files cut and deleted: the start refuses and says what to do, or nothing is lost",
  run: ({ binary, rounds, log }) => runDamages(binary, { rounds: rounds ?? 40, log }),
};

const deadFollower: Scenario = {
  name: "dead-follower",
  about: "a member that is gone costs the others neither throughput nor memory",
  run: ({ binary, rounds, log }) =>
    runDeadFollower(binary, {
      rounds: rounds ?? 4,
      measureMs: 5_000,
      throughputRatioMin: 0.8,
      growthMibMax: 200,
      log,
    }),
};

const watch: Scenario = {
  name: "watch",
  about:
    "watches through kills, pauses, compactions and resumes, at one and three members: nothing lost or repeated",
  run: async ({ binary, rounds, log }) => {
    const seed = newSeed();
    const common = {
      rounds: rounds ?? 6,
      streams: 20,
      clientWatches: 12,
      faults: 5,
      writesBetween: 150,
      log,
    };
    const three = await runWatch(binary, { ...common, members: 3, seed });
    const one = await runWatch(binary, { ...common, members: 1, seed: seed + 1 });
    return { three, one };
  },
};

const lease: Scenario = {
  name: "lease",
  about: "leases through kills and pauses of leaders: none ends early, all end, their keys go with them",
  run: ({ binary, rounds, log }) =>
    runLeases(binary, { rounds: rounds ?? 20, holders: 60, endsBetween: 40, seed: newSeed(), log }),
};

const leaseMass: Scenario = {
  name: "lease-mass",
  about: "100,000 leases that end within one second are gone within seconds, and puts go on",
  run: async ({ binary, log }) => {
    const common = { leases: 100_000, lifeSeconds: 150, goneMsMax: 60_000, putters: 16, log };
    const one = await runLeaseMass(binary, { ...common, members: 1 });
    const three = await runLeaseMass(binary, { ...common, members: 3 });
    return { one, three };
  },
};

const watchCrowd: Scenario = {
  name: "watch-crowd",
  about: "10,000 watches of a stream, of a key, 1,000 streams; clients that do not read cost bounded memory",
  run: ({ binary, log }) =>
    runWatchCrowd(binary, {
      watches: 10_000,
      streams: 1_000,
      puts: 4_000,
      sleepers: 20,
      sleptBytes: 100 * mebibyte,
      growthMibMax: 160,
      log,
    }),
};

export const scenarios: readonly Scenario[] = [
  crash,
  catchUp,
  catchUpLarge,
  failpoints,
  pauses,
  partitions,
  cleanStops,
  damages,
  deadFollower,
  watch,
  lease,
  leaseMass,
  watchCrowd,
];
