/** What a compaction may take from the store, and when. Too early, and a crash loses what is still readable. */
import { expect, test } from "vitest";
import type { Revision } from "../../src/base/brand.js";
import { silentLogger } from "../../src/base/logger.js";
import { Compactor } from "../../src/member/compactor.js";
import {
  encodeNumber,
  finishedCompactionKey,
  type ReplicatedState,
} from "../../src/member/core/replicated-state.js";
import type { StoreKeeper } from "../../src/member/store-keeper.js";
import type { RevisionAlive } from "../../src/ports/revision-store.js";
import { nodeClock } from "../../src/server/node-clock.js";
import { freshStore, put } from "../mvcc/fakes.js";

// The simulator's seed 3776: the newer compaction was not durable when the process ended, and the start that
// followed found a store that had been freed for it.
test("a compaction that is decided while an older one is carried out frees nothing before it is durable", async () => {
  const { store: mvcc, log } = freshStore();
  for (const value of ["2", "3", "4", "5"]) mvcc.put(put("k", value));
  const finished = new Map<string, Uint8Array>();
  const steps: string[] = [];
  const kept = (): Revision[] => log.records.map(({ main }) => main);
  let appliedIndex = 1;
  const store = {
    sizeBytes: 0,
    sizeInUseBytes: 0,
    setState: (key: string, value: Uint8Array) => finished.set(key, value),
    compact: async (upTo: Revision, alive: RevisionAlive) => {
      if (appliedIndex === 1) {
        mvcc.compact(5);
        appliedIndex = 2;
        compactor.poke();
      }
      await Promise.resolve();
      log.compact((record) => record.main > upTo || alive(record));
      steps.push(`freed up to ${upTo}, left ${kept()}`);
    },
  };
  const compactor = new Compactor({
    keeper: {
      busy: false,
      store,
      flushTo: async (index: number) => {
        steps.push(`durable to ${index}, left ${kept()}`);
      },
    } as unknown as StoreKeeper,
    state: () => state,
    appliedIndex: () => appliedIndex,
    clock: nodeClock,
    logger: silentLogger,
    fail: (error) => {
      throw error;
    },
  });
  const state = {
    deps: { mvcc, records: { getState: (key: string) => finished.get(key) } },
  } as unknown as ReplicatedState;
  mvcc.compact(3);
  await compactor.finished();
  await compactor.finished();
  expect(steps).toEqual([
    "durable to 1, left 2,3,4,5",
    "freed up to 3, left 3,4,5",
    "durable to 2, left 3,4,5",
    "freed up to 5, left 5",
  ]);
  expect(finished.get(finishedCompactionKey)).toEqual(encodeNumber(5));
});
