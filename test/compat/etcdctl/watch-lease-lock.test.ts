/** Debian's etcdctl (3.4) on watches, leases, locks and elections, its output to the letter. */
import { expect } from "vitest";
import type { TestProcess } from "../../support/child-process.js";
import type { Cases } from "../targets.js";
import { describeEtcdctl, type Etcdctl } from "./etcdctl.js";

const pollMs = 20;

/** Runs a command that goes on, for as long as `use` takes. */
async function during(
  ctl: Etcdctl,
  args: readonly string[],
  use: (process: TestProcess) => Promise<void>,
): Promise<void> {
  const process = ctl.start(args);
  try {
    await use(process);
  } finally {
    await process.kill();
  }
}

/** Waits until the command has printed that many lines, and compares all that it printed. */
async function printed(process: TestProcess, lines: readonly string[]): Promise<void> {
  await process.stdout.waitFor(`${lines.length} lines`, () => process.stdout.lines.length >= lines.length);
  expect(process.stdout.lines).toEqual(lines);
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, pollMs));
}

/** Grants a lease, and gives its id as etcdctl writes it. */
async function grant(ctl: Etcdctl, ttlSeconds: number): Promise<string> {
  const text = await ctl.ok(["lease", "grant", String(ttlSeconds)]);
  const id = /^lease ([0-9a-f]{16}) granted with TTL\((\d+)s\)$/.exec(text);
  expect(id?.[2], text).toBe(String(ttlSeconds));
  return id![1]!;
}

const watching: Cases<Etcdctl> = {
  "watch from a revision prints puts and deletes, then goes on": async (ctl) => {
    const { header } = await ctl.json(["put", "watch/a", "1"]);
    await ctl.ok(["del", "watch/a"]);
    await during(ctl, ["watch", `--rev=${header.revision}`, "watch/a"], async (process) => {
      await printed(process, ["PUT", "watch/a", "1", "DELETE", "watch/a", ""]);
      await ctl.ok(["put", "watch/a", "2"]);
      await printed(process, ["PUT", "watch/a", "1", "DELETE", "watch/a", "", "PUT", "watch/a", "2"]);
    });
  },
  "watch --prefix --prev-kv prints the pair from before": async (ctl) => {
    const { header } = await ctl.json(["put", "watchprev/a", "1"]);
    await ctl.ok(["put", "watchprev/a", "2"]);
    await ctl.ok(["put", "watchprev/b", "3"]);
    const args = ["watch", "--prefix", "--prev-kv", `--rev=${header.revision + 1}`, "watchprev/"];
    await during(ctl, args, (process) =>
      printed(process, ["PUT", "watchprev/a", "1", "watchprev/a", "2", "PUT", "watchprev/b", "3"]),
    );
  },
  "watch of a range in JSON": async (ctl) => {
    const { header } = await ctl.json(["put", "watchjson/a", "1"]);
    await ctl.ok(["put", "watchjson/c", "not in the range"]);
    await ctl.ok(["put", "watchjson/b", "2"]);
    const args = ["-w", "json", "watch", `--rev=${header.revision}`, "watchjson/a", "watchjson/c"];
    await during(ctl, args, async (process) => {
      const line = await process.stdout.waitFor("an answer", () => true);
      const answer = JSON.parse(line) as {
        Header: { revision: number };
        Events: { kv: { key: string; mod_revision: number } }[];
        CompactRevision: number;
        Canceled: boolean;
        Created: boolean;
      };
      expect(answer.Events.map(({ kv }) => Buffer.from(kv.key, "base64").toString())).toEqual([
        "watchjson/a",
        "watchjson/b",
      ]);
      expect(answer.Events.map(({ kv }) => kv.mod_revision)).toEqual([header.revision, header.revision + 2]);
      expect([answer.CompactRevision, answer.Canceled, answer.Created]).toEqual([0, false, false]);
    });
  },
  "watch runs a command for each event": async (ctl) => {
    const { header } = await ctl.json(["put", "watchexec/a", "1"]);
    const command = ["sh", "-c", 'echo "$ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"'];
    await during(ctl, ["watch", `--rev=${header.revision}`, "watchexec/a", "--", ...command], (process) =>
      printed(process, ["PUT", "watchexec/a", "1", '"PUT" "watchexec/a" "1"']),
    );
  },
  "watch from a compacted revision ends with an error": async (ctl) => {
    await ctl.ok(["put", "watchcompacted/a", "1"]);
    const { header } = await ctl.json(["put", "watchcompacted/a", "2"]);
    await ctl.ok(["compaction", String(header.revision)]);
    const finished = await ctl.run(["watch", `--rev=${header.revision - 1}`, "watchcompacted/a"]);
    expect(finished.stderr).toBe(
      "watch was canceled (etcdserver: mvcc: required revision has been compacted)\nError: watch is canceled by the server",
    );
    expect(finished.code).not.toBe(0);
  },
};

const leasing: Cases<Etcdctl> = {
  "lease grant, put, timetolive, keep-alive, revoke": async (ctl) => {
    const id = await grant(ctl, 600);
    await ctl.ok(["put", `--lease=${id}`, "leased/a", "1"]);
    expect(await ctl.ok(["lease", "timetolive", id])).toMatch(
      new RegExp(`^lease ${id} granted with TTL\\(600s\\), remaining\\((5[5-9]\\d|600)s\\)$`),
    );
    expect(await ctl.ok(["lease", "timetolive", "--keys", id])).toMatch(/, attached keys\(\[leased\/a\]\)$/);
    expect(await ctl.ok(["lease", "keep-alive", "--once", id])).toBe(`lease ${id} keepalived with TTL(600)`);
    expect(await ctl.ok(["lease", "revoke", id])).toBe(`lease ${id} revoked`);
    expect(await ctl.ok(["get", "leased/a"])).toBe("");
    expect(await ctl.ok(["lease", "timetolive", id])).toBe(`lease ${id} already expired`);
    expect(await ctl.fails(["lease", "keep-alive", "--once", id])).toContain("requested lease not found");
    expect(await ctl.fails(["lease", "revoke", id])).toContain("requested lease not found");
  },
  "lease list counts and names the leases": async (ctl) => {
    const ids = [await grant(ctl, 600), await grant(ctl, 600)];
    const lines = (await ctl.ok(["lease", "list"])).split("\n");
    expect(lines[0]).toBe(`found ${lines.length - 1} leases`);
    expect(lines.slice(1)).toEqual(expect.arrayContaining(ids));
    for (const id of ids) await ctl.ok(["lease", "revoke", id]);
  },
  "lease keep-alive goes on until the lease is revoked": async (ctl) => {
    const id = await grant(ctl, 3);
    await during(ctl, ["lease", "keep-alive", id], async (process) => {
      await process.stdout.waitFor("two answers", () => process.stdout.lines.length >= 2);
      expect(process.stdout.lines.slice(0, 2)).toEqual(Array(2).fill(`lease ${id} keepalived with TTL(3)`));
      await ctl.ok(["lease", "revoke", id]);
      await process.stdout.waitFor("the end", (line) => line === `lease ${id} expired or revoked.`);
    });
  },
};

const locking: Cases<Etcdctl> = {
  "lock prints its key, holds it, and lets go on a signal": async (ctl) => {
    await during(ctl, ["lock", "lock/a"], async (first) => {
      const key = await first.stdout.waitFor("the key", () => true);
      expect(key).toMatch(/^lock\/a\/[0-9a-f]{1,16}$/);
      await during(ctl, ["lock", "lock/a"], async (second) => {
        await until(async () => (await ctl.json(["get", "--prefix", "lock/a/"])).count === 2);
        expect(second.stdout.lines).toEqual([]);
        first.signal("SIGINT");
        await first.exited;
        const next = await second.stdout.waitFor("the key", () => true);
        expect(next).not.toBe(key);
        expect((await ctl.json(["get", "--prefix", "lock/a/"])).count).toBe(1);
      });
    });
  },
  "lock runs a command under the lock": async (ctl) => {
    const command = ["sh", "-c", 'echo "$ETCD_LOCK_KEY $ETCD_LOCK_REV"; exit 7'];
    const finished = await ctl.run(["lock", "lock/run", "--", ...command]);
    const [key, revision] = finished.stdout.split(" ");
    expect(key).toMatch(/^lock\/run\/[0-9a-f]{1,16}$/);
    expect(Number(revision)).toBeGreaterThan(0);
    expect([finished.code, finished.stderr]).toEqual([1, "Error: exit status 7"]);
    expect((await ctl.ok(["get", "--prefix", "lock/run/"])).trim()).toBe("");
  },
  "elect: the first leads, the next follows it, --listen tells both": async (ctl) => {
    await during(ctl, ["elect", "elect/a", "first"], async (first) => {
      await first.stdout.waitFor("key and value", (line) => line === "first");
      expect(first.stdout.lines[0]).toMatch(/^elect\/a\/[0-9a-f]{1,16}$/);
      await during(ctl, ["elect", "--listen", "elect/a"], async (observer) => {
        await observer.stdout.waitFor("the leader", (line) => line === "first");
        await during(ctl, ["elect", "elect/a", "second"], async (second) => {
          await until(async () => (await ctl.json(["get", "--prefix", "elect/a/"])).count === 2);
          first.signal("SIGINT");
          await first.exited;
          await second.stdout.waitFor("key and value", (line) => line === "second");
          await observer.stdout.waitFor("the next leader", (line) => line === "second");
          expect(observer.stdout.lines).toEqual([
            first.stdout.lines[0],
            "first",
            second.stdout.lines[0],
            "second",
          ]);
        });
      });
    });
  },
};

describeEtcdctl("etcdctl on watches, leases and locks", { ...watching, ...leasing, ...locking });
