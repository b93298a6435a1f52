/** All scenarios in their long form. Short forms of most run in `npm test` (test/cluster). */
import { runCatchUp } from "./catch-up.js";
import { runCleanStops } from "./clean-stop.js";
import { runCrash } from "./crash.js";
import { runDamages } from "./damage.js";
import { runDeadFollower } from "./dead-follower.js";
import { reachableFailpoints, runFailpointLoop } from "./failpoint-loop.js";
import { namespacesMissing } from "./namespaces.js";
import { runPartitions } from "./partition.js";
import { runPauses } from "./pause.js";
import type { Scenario } from "./scenario.js";

const mebibyte = 1024 * 1024;

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
      snapshotCount: 500,
      log,
    }),
};

/** Places on the way of a received image, in their order. */
const snapshotDeaths = [
  "receiving",
  { failpoint: "raftBeforeApplySnap" },
  { failpoint: "applyBeforeOpenSnapshot" },
  { failpoint: "raftAfterApplySnap" },
  { failpoint: "raftBeforeSaveSnap" },
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
  about: "the leader is stopped for 3 s, members are killed: no stale read, the history is linearizable",
  run: ({ binary, rounds, log }) =>
    runPauses(binary, { rounds: rounds ?? 10, pauseMs: 3_000, answersBetween: 1_000, kills: true, log }),
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
];
