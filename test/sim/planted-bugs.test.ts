/** Each planted bug must be found within a stated number of seeds: if not, the simulator has gone blind. */
import { describe, expect, test } from "vitest";
import { type Overrides, optionsOf } from "./options.js";
import { type PlantedBug, plantedBugs } from "./planted-bugs.js";
import { simulate } from "./simulation.js";

/** Leases above all, at leaders that are cut off or sleep. */
const manyLeases: Overrides = {
  members: 3,
  clients: 2,
  watchers: 0,
  lessees: 6,
  faultEveryMs: 400,
  faults: new Set(["partition", "pause"]),
};

/** Seeds within which each is found, from 1 on, and where it needs it the faults that bring it out: docs/simulation.md. */
const within: Readonly<Record<PlantedBug, { readonly seeds: number; readonly overrides?: Overrides }>> = {
  "skip-fsync": { seeds: 1 },
  "reuse-read-context": {
    seeds: 30,
    overrides: { members: 3, thinkMs: 40, faults: new Set(["duplication", "delay", "partition"]) },
  },
  "acknowledge-append-early": { seeds: 3 },
  "ask-for-votes-early": { seeds: 1 },
  "forget-vote": { seeds: 5 },
  "commit-older-term": { seeds: 10 },
  "revision-goes-down": {
    seeds: 40,
    overrides: { members: 3, keys: 3, faultEveryMs: 400, faults: new Set(["compaction", "kill"]) },
  },
  "apply-twice": { seeds: 5 },
  "snapshot-ahead-of-data": { seeds: 20 },
  "apply-before-committed-elsewhere": { seeds: 3 },
  "serve-unconfirmed-read": { seeds: 30 },
  "progress-overtakes-events": { seeds: 10 },
  "event-lost-at-seam": { seeds: 10 },
  "watch-not-told-of-snapshot": {
    seeds: 10,
    overrides: {
      thinkMs: 40,
      faultEveryMs: 400,
      snapshotCount: 40,
      catchUpEntries: 5,
      faults: new Set(["partition", "pause"]),
    },
  },
  "previous-pair-of-wrong-revision": { seeds: 10 },
  "compacted-watch-goes-on": { seeds: 10 },
  "full-time-granted-again": { seeds: 10 },
  "lease-ended-by-old-leader": { seeds: 5, overrides: manyLeases },
  "keep-alive-by-old-leader": { seeds: 20, overrides: manyLeases },
  "keep-alive-before-checkpoint-is-back": { seeds: 10, overrides: manyLeases },
  "lease-kept-by-followers": { seeds: 5 },
};

describe("a planted bug is found", () => {
  for (const bug of plantedBugs) {
    const { seeds, overrides } = within[bug];
    test(`${bug}, within ${seeds} seeds`, async () => {
      let found: string | undefined;
      for (let seed = 1; seed <= seeds && found === undefined; seed++) {
        found = (await simulate(optionsOf(seed, { ...overrides, bug }))).violation?.check;
      }
      expect(found).toBeDefined();
    }, 120_000);
  }
});
