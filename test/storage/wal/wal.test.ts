/** The log on a real file system. If these fail, a restarted member is not the one that stopped. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DamageError } from "../../../src/base/errors.js";
import { failpoints } from "../../../src/base/failpoint.js";
import { silentLogger } from "../../../src/base/logger.js";
import type { LogAppend, RaftLog } from "../../../src/ports/raft-log.js";
import { createWal, openWal, walExists } from "../../../src/storage/wal/open.js";
import { syncPolicyFigures } from "../../../src/storage/wal/sync-policy.js";
import { contents, entry, metadata } from "./memory-log.js";

const segmentBytes = 256 * 1024;
const voters = { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
const observed = { writes: 0, bytes: 0, syncs: 0 };
const deps = {
  clock: { monotonicMs: () => performance.now() },
  logger: silentLogger,
  observer: {
    wrote(bytes: number) {
      observed.writes++;
      observed.bytes += bytes;
    },
    synced() {
      observed.syncs++;
    },
  },
};

let parent = "";
let directory = "";
let opened: RaftLog | undefined;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "quorate-wal-"));
  directory = join(parent, "member", "wal");
});
afterEach(async () => {
  failpoints.walBeforeSync = undefined;
  failpoints.walAfterSync = undefined;
  await opened?.close();
  opened = undefined;
  await rm(parent, { recursive: true, force: true });
});

async function create(): Promise<RaftLog> {
  const { log } = await createWal(directory, { metadata, segmentBytes }, deps);
  opened = log;
  return log;
}

async function open(fromMark = 0) {
  await opened?.close();
  const found = await openWal(directory, { fromMark, segmentBytes }, deps);
  opened = found.log;
  return found;
}

function put(first: number, last = first, bytesEach = 100): LogAppend {
  const entries = [];
  for (let index = first; index <= last; index++)
    entries.push(entry(1, index, `${index} `.padEnd(bytesEach, "-")));
  return { entries, hardState: { term: 1, vote: 1n, commit: first - 1 } };
}

const synced = { mustSync: true };
const segments = async () => (await readdir(directory)).filter((name) => name.endsWith(".wal")).sort();

describe("a log on disk", () => {
  it("gives back what was appended, and goes on", async () => {
    const log = await create();
    await log.append([put(1, 3), put(4)], synced);
    await log.append([put(5)], synced);
    const first = await open();
    expect([...first.recovered.metadata]).toEqual([...metadata]);
    expect(first.recovered.entries.map((e) => e.index)).toEqual([1, 2, 3, 4, 5]);
    expect(first.recovered.hardState).toEqual({ term: 1, vote: 1n, commit: 4 });
    await first.log.append([put(6)], synced);
    expect((await open()).recovered.entries).toHaveLength(6);
  });

  it("makes one write and one sync for all that is appended at once", async () => {
    const log = await create();
    const before = { ...observed };
    await log.append(
      [put(1, 50), put(51, 90), { entries: [], hardState: { term: 2, vote: 0n, commit: 90 } }],
      synced,
    );
    expect(observed.writes - before.writes).toBe(1);
    expect(observed.syncs - before.syncs).toBe(1);
    await log.append([], synced);
    expect(observed.writes - before.writes).toBe(1);
  });

  it("writes a commit index without a sync, and keeps it over a close", async () => {
    const log = await create();
    await log.append([put(1)], synced);
    const before = observed.syncs;
    await log.append([{ entries: [], hardState: { term: 1, vote: 1n, commit: 1 } }], { mustSync: false });
    expect(observed.syncs).toBe(before);
    expect((await open()).recovered.hardState.commit).toBe(1);
  });

  it("is not made where there is one", async () => {
    const log = await create();
    await log.append([put(1)], synced);
    await expect(createWal(directory, { metadata, segmentBytes }, deps)).rejects.toThrow(/not empty/);
    expect((await open()).recovered.entries).toHaveLength(1);
  });

  it("keeps what an append in hand needs when a release comes between", async () => {
    const log = await create();
    for (let index = 1; index <= 60; index++) await log.append([put(index, index, 10_000)], synced);
    const mark = { index: 60, term: 1, confState: voters };
    await Promise.all([log.append([{ entries: [], mark }], synced), log.release(60)]);
    expect((await segments()).length).toBeLessThan(3);
    expect((await open(60)).recovered.mark).toEqual(mark);
  });

  it("is for the owner alone", async () => {
    await create();
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, (await segments())[0]!))).mode & 0o777).toBe(0o600);
  });

  it("does the same on the event loop once the disk has proven fast", async () => {
    const log = await create();
    const count = 3 * syncPolicyFigures.windowSyncs;
    for (let index = 1; index <= count; index++) await log.append([put(index)], synced);
    const { recovered } = await open();
    expect(recovered.entries.map((e) => e.index)).toEqual(Array.from({ length: count }, (_, at) => at + 1));
  });
});

describe("segments", () => {
  async function fill(log: RaftLog, first: number, last: number): Promise<void> {
    for (let index = first; index <= last; index++) await log.append([put(index, index, 10_000)], synced);
  }

  it("follow each other without a break, and are read together", async () => {
    const log = await create();
    await fill(log, 1, 120);
    expect((await segments()).length).toBeGreaterThan(3);
    const { recovered, log: again } = await open();
    expect(recovered.entries).toHaveLength(120);
    await fill(again, 121, 160);
    const last = await open();
    expect(contents(last.recovered).map((e) => Number.parseInt(e.data, 10))).toEqual(
      Array.from({ length: 160 }, (_, at) => at + 1),
    );
    await last.log.close();
    expect((await readdir(directory)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("take a batch that is larger than a segment", async () => {
    const log = await create();
    await log.append([put(1, 3, segmentBytes)], synced);
    await log.append([put(4)], synced);
    expect((await open()).recovered.entries.map((e) => e.data.length)).toEqual([
      segmentBytes,
      segmentBytes,
      segmentBytes,
      100,
    ]);
  });

  it("are deleted once a mark says that the store holds them, and only whole", async () => {
    const log = await create();
    await fill(log, 1, 120);
    const all = await segments();
    await log.release(60);
    expect(await segments()).toEqual(all);
    await log.append([{ entries: [], mark: { index: 60, term: 1, confState: voters } }], synced);
    await log.release(59);
    expect(await segments()).toEqual(all);
    await log.release(60);
    const kept = await segments();
    expect(kept.length).toBeLessThan(all.length);
    expect(Number.parseInt(kept[0]!.slice(17, 33), 16)).toBeLessThanOrEqual(61);
    expect(Number.parseInt(kept[1]!.slice(17, 33), 16)).toBeGreaterThan(61);
    const { recovered, log: again } = await open(75);
    expect(recovered.mark.index).toBe(60);
    expect(recovered.entries.map((e) => e.index)).toEqual(Array.from({ length: 60 }, (_, at) => at + 61));
    await again.release(75);
    expect(await segments()).toEqual(kept);
    await expect(open(59)).rejects.toThrow(/the store ends at 59/);
  });

  it("are prepared beforehand, so that the writes in them carry no zeros", async () => {
    const large = 1024 * 1024;
    const { log } = await createWal(directory, { metadata, segmentBytes: large }, deps);
    opened = log;
    let index = 0;
    while ((await segments()).length < 3) await log.append([put(++index, index, 20_000)], synced);
    const before = observed.bytes;
    for (let count = 0; count < 30; count++) await log.append([put(++index, index, 20_000)], synced);
    expect(observed.bytes - before).toBeLessThan(30 * 20_200);
    expect(await segments()).toHaveLength(3);
    await log.close();
    const { recovered, log: again } = await openWal(directory, { fromMark: 0, segmentBytes: large }, deps);
    opened = again;
    expect(recovered.entries).toHaveLength(index);
  });

  it("do not need the older ones that a crash in the middle of a release kept", async () => {
    const log = await create();
    await fill(log, 1, 120);
    await log.append([{ entries: [], mark: { index: 110, term: 1, confState: voters } }], synced);
    await log.close();
    const names = await segments();
    await rm(join(directory, names[1]!));
    const { recovered, log: again } = await open(110);
    expect(recovered.entries).toHaveLength(10);
    await again.release(110);
    expect(await segments()).not.toContain(names[0]);
  });

  it("are refused where one is missing that the store needs", async () => {
    const log = await create();
    await fill(log, 1, 120);
    await log.close();
    await rm(join(directory, (await segments())[1]!));
    await expect(open(0)).rejects.toThrow(DamageError);
  });
});

describe("a crash", () => {
  it("while a log is created leaves none, and the next try succeeds", async () => {
    expect(await walExists(directory)).toBe(false);
    await mkdir(`${directory}.tmp`, { recursive: true });
    await writeFile(join(`${directory}.tmp`, "0000000000000000-0000000000000000.wal"), "half");
    expect(await walExists(directory)).toBe(false);
    await create();
    expect(await walExists(directory)).toBe(true);
    expect(existsSync(`${directory}.tmp`)).toBe(false);
    expect((await open()).recovered.entries).toEqual([]);
  });

  it("while a segment is begun leaves the log as it was", async () => {
    const log = await create();
    await log.append([put(1)], synced);
    await log.close();
    await writeFile(join(directory, "0.tmp"), "half a segment");
    const { recovered } = await open();
    expect(recovered.entries).toHaveLength(1);
    expect(await readdir(directory)).toEqual(["0000000000000000-0000000000000000.wal"]);
  });

  it("in a write is cut off, and what is appended then is read without a trace of it", async () => {
    const log = await create();
    await log.append([put(1)], synced);
    await log.append([put(2, 40, 2000)], synced);
    await log.close();
    const path = join(directory, (await segments())[0]!);
    const bytes = await readFile(path);
    bytes.fill(0, 2048, 2560);
    await writeFile(path, bytes);
    const torn = await open();
    expect(torn.recovered.entries.map((e) => e.index)).toEqual([1]);
    expect((await stat(path)).size).toBe(segmentBytes);
    await torn.log.append([put(2, 2, 5000)], synced);
    const { recovered } = await open();
    expect(recovered.entries.map((e) => [e.index, e.data.length])).toEqual([
      [1, 100],
      [2, 5000],
    ]);
  });

  it("is not repaired while the store is not open, as another process may write this log still", async () => {
    const log = await create();
    await log.append([put(1), put(2)], synced);
    await log.close();
    const path = join(directory, (await segments())[0]!);
    await truncate(path, 300);
    await writeFile(join(directory, "0.tmp"), "the next segment of the other process");
    const refused = Promise.reject<number>(new Error("in use by another process"));
    refused.catch(() => {});
    await expect(openWal(directory, { fromMark: refused, segmentBytes }, deps)).rejects.toThrow("in use");
    expect((await stat(path)).size).toBe(300);
    expect(await readdir(directory)).toContain("0.tmp");
    const { recovered } = await open();
    expect(recovered.entries.map((e) => e.index)).toEqual([1]);
  });

  it("that cut the file short is repaired to a full segment", async () => {
    const log = await create();
    await log.append([put(1), put(2)], synced);
    await log.close();
    const path = join(directory, (await segments())[0]!);
    await truncate(path, 300);
    const { recovered } = await open();
    expect(recovered.entries.map((e) => e.index)).toEqual([1]);
    expect((await stat(path)).size).toBe(segmentBytes);
  });
});

describe("damage and failure", () => {
  it("in a file is told with its path and what can be done, and nothing is changed", async () => {
    const log = await create();
    await log.append([put(1)], synced);
    await log.append([put(2)], synced);
    await log.close();
    const path = join(directory, (await segments())[0]!);
    const bytes = await readFile(path);
    bytes[150]! ^= 4;
    await writeFile(path, bytes);
    await expect(open()).rejects.toThrow(
      /wal: 0{16}-0{16}\.wal is damaged at byte \d+: .*remove this member/,
    );
    expect((await readFile(path)).equals(bytes)).toBe(true);
  });

  it.each(["walBeforeSync", "walAfterSync"] as const)(
    "at %s makes the log refuse everything from then on",
    async (name) => {
      const log = await create();
      await log.append([put(1)], synced);
      failpoints[name] = () => {
        throw new Error("no disk");
      };
      await expect(async () => log.append([put(2)], synced)).rejects.toThrow("no disk");
      failpoints[name] = undefined;
      await expect(async () => log.append([put(2)], synced)).rejects.toThrow(
        /failed before and takes no more: no disk/,
      );
      await expect(log.release(1)).rejects.toThrow(/failed before/);
    },
  );

  it("passes raftBeforeWALSaveSnaphot before the mark of a snapshot is written, and not for entries", async () => {
    const log = await create();
    failpoints.raftBeforeWALSaveSnaphot = () => {
      throw new Error("crash");
    };
    await log.append([put(1)], synced);
    const mark = { index: 1, term: 1, confState: voters };
    await expect(async () => log.append([{ entries: [], mark }], synced)).rejects.toThrow("crash");
    failpoints.raftBeforeWALSaveSnaphot = undefined;
    expect((await open()).recovered.mark.index).toBe(0);
  });

  it("of a gap in the entries is a bug of the caller", async () => {
    const log = await create();
    await expect(async () => log.append([put(2)], synced)).rejects.toThrow("without a gap");
  });
});
