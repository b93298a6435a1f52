/** What stays of the log when it is cut. Cut too much, and a follower that takes an image never catches up. */
import { describe, expect, it } from "vitest";
import { emptyBytes } from "../../src/base/bytes.js";
import { limits } from "../../src/base/limits.js";
import { retainedFrom } from "../../src/member/core/log-retention.js";
import { MemoryLog } from "../../src/raft/log-store.js";
import type { MemberProgress } from "../../src/raft/node.js";
import { EntryType } from "../../src/raft/types.js";

const cutAt = 100;
const options = { catchUpEntries: 10 };

function logOf(entryBytes: number): MemoryLog {
  const log = new MemoryLog();
  const data = entryBytes === 0 ? emptyBytes : new Uint8Array(entryBytes);
  log.append(
    Array.from({ length: cutAt }, (_, at) => ({ term: 1, index: at + 1, type: EntryType.Normal, data })),
  );
  return log;
}

function follower(state: MemberProgress["state"], next: number, recentActive = true): MemberProgress {
  return { match: 0, next, state, recentActive, isLearner: false };
}

describe("cutting the log", () => {
  it("leaves the entries that the flag asks for", () => {
    const log = logOf(0);
    expect(retainedFrom(cutAt, options, { log, followers: [] })).toBe(90);
    expect(retainedFrom(cutAt, options, { log, followers: [follower("replicate", 5)] })).toBe(90);
    expect(retainedFrom(5, options, { log, followers: [] })).toBe(0);
  });

  it("leaves what a follower needs that takes an image, or has just taken one", () => {
    const log = logOf(0);
    expect(retainedFrom(cutAt, options, { log, followers: [follower("snapshot", 51)] })).toBe(50);
    expect(retainedFrom(cutAt, options, { log, followers: [follower("probe", 41)] })).toBe(40);
    expect(retainedFrom(cutAt, options, { log, followers: [follower("probe", 99)] })).toBe(90);
  });

  it("waits for nobody who is gone", () => {
    const followers = [follower("snapshot", 51, false), follower("probe", 11, false)];
    expect(retainedFrom(cutAt, options, { log: logOf(0), followers })).toBe(90);
  });

  it("keeps no more than memory is meant for", () => {
    const log = logOf(limits.imageCatchUpBytesMax / 20);
    expect(retainedFrom(cutAt, options, { log, followers: [follower("snapshot", 11)] })).toBe(70);
  });
});
