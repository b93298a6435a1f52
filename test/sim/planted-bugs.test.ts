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

interface Expectation {
  /** It is found by one of these, from 1 on. */
  readonly seeds: number;
  /** The checks that it may fail. */
  readonly foundBy: readonly string[];
  /** Where it needs them: the faults that bring it out. */
  readonly overrides?: Overrides;
}

/** What docs/simulation.md says of each. */
const within: Readonly<Record<PlantedBug, Expectation>> = {
  "skip-fsync": { seeds: 1, foundBy: ["candidate's term is durable"] },
  "reuse-read-context": {
    seeds: 30,
    foundBy: ["read index"],
    overrides: { members: 3, thinkMs: 40, faults: new Set(["duplication", "delay", "partition"]) },
  },
  "acknowledge-append-early": { seeds: 3, foundBy: ["committed is durable"] },
  "ask-for-votes-early": { seeds: 1, foundBy: ["candidate's term is durable"] },
  "forget-vote": { seeds: 5, foundBy: ["durable vote"] },
  "commit-older-term": { seeds: 30, foundBy: ["commits only its own term"] },
  "revision-goes-down": {
    seeds: 40,
    // Also by the member itself: a store that comes back behind its own compaction is refused.
    foundBy: ["watch reliable", "process"],
    overrides: { members: 3, keys: 3, faultEveryMs: 400, faults: new Set(["compaction", "kill"]) },
  },
  "apply-twice": { seeds: 5, foundBy: ["restored state", "configuration"] },
  "snapshot-ahead-of-data": {
    seeds: 20,
    foundBy: ["state machine safety", "restored state", "convergence", "committed is durable"],
  },
  "apply-before-committed-elsewhere": { seeds: 3, foundBy: ["committed is durable"] },
  // Also by the member itself: who is confirmed before its term has begun knows of no leases yet.
  "serve-unconfirmed-read": { seeds: 30, foundBy: ["read index", "process"] },
  "decide-alone-among-others": { seeds: 30, foundBy: ["read index"] },
  "progress-overtakes-events": { seeds: 10, foundBy: ["watch bookmarkable"] },
  "event-lost-at-seam": { seeds: 10, foundBy: ["watch bookmarkable", "watch reliable"] },
  "watch-not-told-of-snapshot": {
    seeds: 10,
    foundBy: ["watch reliable", "watch bookmarkable"],
    overrides: {
      thinkMs: 40,
      faultEveryMs: 400,
      snapshotCount: 40,
      catchUpEntries: 5,
      faults: new Set(["partition", "pause"]),
    },
  },
  "previous-pair-of-wrong-revision": { seeds: 10, foundBy: ["watch previous"] },
  "compacted-watch-goes-on": { seeds: 10, foundBy: ["watch reliable"] },
  "full-time-granted-again": { seeds: 10, foundBy: ["remaining time"] },
  "lease-ended-by-old-leader": { seeds: 5, foundBy: ["deposed leader"], overrides: manyLeases },
  "keep-alive-by-old-leader": { seeds: 20, foundBy: ["lease vanished"], overrides: manyLeases },
  "keep-alive-before-checkpoint-is-back": { seeds: 10, foundBy: ["remaining time"], overrides: manyLeases },
  "lease-kept-by-followers": { seeds: 5, foundBy: ["leases"] },
};

describe("a planted bug is found", () => {
  for (const bug of plantedBugs) {
    const { seeds, foundBy, overrides } = within[bug];
    test(`${bug}, within ${seeds} seeds`, async () => {
      for (let seed = 1; seed <= seeds; seed++) {
        const { violation } = await simulate(optionsOf(seed, { ...overrides, bug }));
        if (violation === undefined) continue;
        expect(foundBy, violation.message).toContain(violation.check);
        // It is the bug that was found, and nothing else.
        expect((await simulate(optionsOf(seed, { ...overrides }))).violation).toBeUndefined();
        return;
      }
      expect.unreachable(`not found within ${seeds} seeds`);
    }, 120_000);
  }
});
