/** The same command lines for us and for a real etcdctl, against a real etcd: output must not differ by a byte. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.js";
import {
  etcdctlEnvironment,
  etcdctlProgram,
  etcdctlVersion,
  etcdVersion,
  type RealEtcd,
  startEtcd,
} from "../client/real-etcd.js";
import { isAtLeast } from "../support/server-binary.js";
import { type Outcome, run } from "./fake-host.js";

// Formats differ between releases; ours are those of 3.7.
const comparable = isAtLeast(etcdctlVersion, 3, 7) && isAtLeast(etcdVersion, 3, 7);
const found = `${etcdVersion ?? "no etcd"} and ${etcdctlVersion ?? "no etcdctl"}`;
const reason = comparable ? "" : ` (skipped: needs etcd and etcdctl 3.7, here are ${found})`;

function etcdctl(argv: readonly string[], stdin: string | undefined): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(etcdctlProgram, argv, { stdio: "pipe", env: etcdctlEnvironment });
    const out: Buffer[] = [];
    let error = "";
    child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      error += text;
    });
    child.once("error", reject);
    child.once("close", (exitCode) => resolve({ exitCode: exitCode ?? -1, out: Buffer.concat(out), error }));
    child.stdin.end(stdin);
  });
}

/** Interrupts the command when it has printed something. */
async function interruptedEtcdctl(argv: readonly string[]): Promise<Outcome> {
  const child = spawn(etcdctlProgram, argv, { stdio: ["ignore", "pipe", "pipe"], env: etcdctlEnvironment });
  let out = "";
  child.stdout.on("data", (bytes: Buffer) => {
    out += bytes.toString("latin1");
    child.kill("SIGINT");
  });
  const [exitCode] = (await once(child, "close")) as [number];
  return { exitCode, out: Buffer.from(out, "latin1"), error: "" };
}

async function interruptedRun(argv: readonly string[]): Promise<Outcome> {
  const interrupt = new AbortController();
  return run(argv, { interrupt: interrupt.signal, onOut: () => setImmediate(() => interrupt.abort()) });
}

/** Without ids of leases and revisions, of which every run has its own. */
function withoutIds(outcome: Outcome) {
  const { exitCode, out, error } = comparableParts(outcome);
  const text = out
    .replace(/(?<=\/)[0-9a-f]+/g, "<id>")
    .replace(/"key":"[^"]*"|"lease":\d+|"\w*revision":\d+/g, "<own>");
  return { exitCode, out: text, error };
}

/** Without what no two runs have in common: log lines of Go's client, and how long things took. */
function comparableParts({ exitCode, out, error }: Outcome) {
  const withoutTimes = (text: string): string => text.replace(/(took"?[ =:]+"?)[0-9.]+(µs|ms|s)/g, "$1…");
  const withoutLogs = error.replace(/^\{"level".*\n/gm, "");
  return { exitCode, out: withoutTimes(out.toString("latin1")), error: withoutTimes(withoutLogs) };
}

const formats = ["simple", "json", "fields", "protobuf", "table"];

describe.skipIf(!comparable)(`beside etcdctl${reason}`, () => {
  let etcd: RealEtcd;

  beforeAll(async () => {
    etcd = await startEtcd();
    const put = (key: string, value: string) => run(["put", "--endpoints", etcd.endpoint, "--", key, value]);
    await put("a", "1");
    await put("a", 'with "quotes", <html> & é\u2028\t\n');
    await put("b", "-2");
    await put("日本", "😀");
    await put("watched", "1");
    await run(["del", "watched", "--endpoints", etcd.endpoint]);
    await run(["txn", "--endpoints", etcd.endpoint], { stdin: '\nput "bin\\x00\\xff" "\\x80\\x01"\n\n\n' });
  });
  afterAll(() => etcd.stop());

  async function compare(argv: readonly string[], stdin?: string): Promise<void> {
    const whole = [`--endpoints=${etcd.endpoint}`, ...argv];
    const before = comparableParts(await etcdctl(whole, stdin));
    const ours = comparableParts(await run(whole, stdin === undefined ? {} : { stdin }));
    if (isDeepStrictEqual(before, ours)) return;
    // etcd writes behind: the size of its store may have changed between the two.
    expect(ours).toEqual(comparableParts(await etcdctl(whole, stdin)));
  }

  describe.each(formats)("with -w %s", (format) => {
    test.each([
      "get a",
      "get a --hex",
      "get nothing",
      "get a z --rev 3",
      "member list",
      "member list --hex",
      "endpoint status",
      "endpoint status --hex",
      "endpoint hashkv --rev 3",
      "alarm list",
      "alarm disarm",
      "del nothing",
    ])("%s", (line) => compare([...line.split(" "), "-w", format]));

    test("every key, as bytes", () => compare(["get", "", "--prefix", "-w", format]));

    test("a transaction of reads", () =>
      compare(
        ["txn", "-w", format],
        'ver("a") = "2"\nval("b") != ""\n\nget a\ndel nothing\nget b\n\nget x\n\n',
      ));
  });

  test.each([
    "get a --consistency=s",
    "get a zz --order DESCEND --sort-by value --limit 2",
    "get a --from-key --keys-only",
    "get a --from-key --print-value-only",
    "get a --count-only",
    "get a --count-only -w fields",
    "get a --print-value-only -w json",
    "get a zz --min-mod-rev 4 --max-create-rev 4",
    "get a zz --stream",
    "get a --rev 1",
    "get a --rev 999",
    "put a b --lease 12",
    "put nothing --ignore-value",
    "del a z x",
    "compaction 1 2",
    "compaction 999",
    "move-leader 1",
    "member add a --peer-urls nonsense",
    "member add a --peer-urls http://host",
    "member add a --peer-urls http://host:1/path",
    "member remove 12",
    "member update 12 --peer-urls http://127.0.0.1:5",
    "member promote 12",
    "endpoint health",
    "endpoint health -w json --cluster",
    "endpoint status --cluster",
    "endpoint hashkv --rev 999",
    "defrag",
    "version",
    "gett a",
    "get a --user root:secret",
    "lease timetolive 12",
    "lease revoke 12",
    "lease revoke zz",
    "lease revoke",
    "lease grant x",
    "lease grant 99999999999",
    "lease grant",
    "lease keep-alive 12",
    "lease keep-alive 12 -w json",
    "lease keep-alive --once 12",
    "lease keep-alive",
    "lease timetolive",
    "watch",
    "watch -i --rev 3",
    "watch a b --prefix",
    "watch a --",
    "watch -- true",
    "watch a --prefix --rev 1 -- false",
    "watch a --prefix --rev 1 --prev-kv -- nonexistent-program",
    "lock",
    "lock l false",
    "lock l nonexistent-program",
    "lock l ./nonexistent-program",
    "elect e",
    "elect e v -l",
    "elect",
  ])("%s", (line) => compare(line.split(" ")));

  test.each([
    'val("a") = ""\n\nget a\n\nget b\n\n',
    'mod("a") < "0"\n\n\n\n',
    'mod(a) > "0"\n\n\n\n',
    'val( "a") ="b"\n\n\n\n',
    "\nput n 1\nput n 2\n\n\n",
    "\nget a --nope x\n\n\n",
    "\nput a\n\n\n",
    "\nge a --hex\n\n\n",
    '\nget "bin\\x00" --prefix\n\n\n',
  ])("txn of %j", async (stdin) => {
    const whole = ["txn", `--endpoints=${etcd.endpoint}`];
    const [ours, theirs] = [await run(whole, { stdin }), await etcdctl(whole, stdin)];
    // For a bad flag in a line, etcdctl prints its help before the error that both end with.
    const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1)!;
    expect([ours.exitCode, ours.out.toString("latin1"), lastLine(ours.error)]).toEqual([
      theirs.exitCode,
      theirs.out.toString("latin1"),
      lastLine(theirs.error),
    ]);
  });

  describe.each(formats)("leases and watches with -w %s", (format) => {
    const id = "7654321f";
    const w = ["-w", format];

    test("a lease from its making to its end", async () => {
      await run(["lease", "revoke", id, `--endpoints=${etcd.endpoint}`]);
      const client = connect({ endpoints: [etcd.endpoint] });
      try {
        await client.leases.grant(1_000, { id: BigInt(`0x${id}`) });
        await client.kv.put("leased/1", "", { lease: BigInt(`0x${id}`) });
      } finally {
        await client.close();
      }
      await compare(["lease", "list", ...w]);
      await compare(["lease", "timetolive", id, "--keys", ...w]);
      await compare(["lease", "timetolive", id, "--hex", ...w]);
      await compare(["lease", "keep-alive", id, "--once", ...w]);
      await compare(["get", "leased/", "--prefix", ...w]);
    });

    // The failing program ends the command after what it printed.
    test.each([
      "watch a --rev 1 -- false",
      "watch a z --rev 1 --prev-kv -- false",
      "watch a --prefix --rev 3 --hex --prev-kv -- false",
      "watch bin --prefix --rev 1 -- false",
      "watch watched --rev 1 --prev-kv --prefix -- false",
    ])("%s", (line) => {
      const [command, ...rest] = line.split(" ");
      return compare([command!, ...w, ...rest]);
    });

    test("a watch of what is compacted away", async () => {
      const client = connect({ endpoints: [etcd.endpoint] });
      try {
        await client.kv.compact(2);
      } catch {
        // One format before this one has done so.
      } finally {
        await client.close();
      }
      await compare(["watch", "a", "--rev", "1", ...w]);
    });
  });

  test("a program run by watch finds the event in its environment", () =>
    compare([
      "watch",
      "--rev=3",
      "--prefix",
      "",
      "--",
      "sh",
      "-c",
      'env | grep ^ETCD_WATCH_ | sort; test "$ETCD_WATCH_EVENT_TYPE" = \'"PUT"\'',
    ]));

  test.each([
    "bad x\n\nwatch\nwatch a b --prefix\nwatch -- true\n",
    "watch a --\n",
    "watch a --nope\n",
    'watch "a --rev 3\n',
  ])("watch -i of %j", (stdin) => compare(["watch", "-i"], stdin));

  test("a lock is held until the interrupt, or while a program runs", async () => {
    const line = ["lock", "held", `--endpoints=${etcd.endpoint}`];
    const theirs = withoutIds(await interruptedEtcdctl(line));
    expect(withoutIds(await interruptedRun(line))).toEqual(theirs);
    await compareWithoutIds([...line, "--", "sh", "-c", 'echo "$ETCD_LOCK_KEY"; exit 3']);
  });

  test("a leader leads until the interrupt, and observers see it", async () => {
    const line = ["elect", "e", "me", `--endpoints=${etcd.endpoint}`];
    const theirs = withoutIds(await interruptedEtcdctl(line));
    expect(withoutIds(await interruptedRun(line))).toEqual(theirs);
    const leader = spawn(etcdctlProgram, line, { env: etcdctlEnvironment });
    try {
      await once(leader.stdout, "data");
      const listen = ["elect", "e", "-l", "-w", "json", `--endpoints=${etcd.endpoint}`];
      expect(withoutIds(await interruptedRun(listen))).toEqual(withoutIds(await interruptedEtcdctl(listen)));
    } finally {
      leader.kill("SIGINT");
      await once(leader, "exit");
    }
  });

  async function compareWithoutIds(line: readonly string[]): Promise<void> {
    expect(withoutIds(await run(line))).toEqual(withoutIds(await etcdctl(line, undefined)));
  }

  test("a saved snapshot is whole, and only its owner may read it", async () => {
    const directory = mkdtempSync(join(tmpdir(), "quorate-cli-"));
    try {
      const path = join(directory, "s.db");
      const { exitCode, out } = await run(["snapshot", "save", path, `--endpoints=${etcd.endpoint}`]);
      expect([exitCode, out.toString()]).toEqual([0, `Snapshot saved at ${path}\nServer version 3.7.0\n`]);
      expect(readFileSync(path).length % 512).toBe(32);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

const anyReason = etcdVersion === undefined ? " (skipped: no etcd here)" : "";

describe.skipIf(etcdVersion === undefined)(`against any real etcd${anyReason}`, () => {
  let etcd: RealEtcd;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.stop());

  test("put --ttl makes a lease, says its id, and attaches the key to it", async () => {
    const at = `--endpoints=${etcd.endpoint}`;
    const { out } = await run(["put", "k", "v", "--ttl", "300", at]);
    const [, id] = /^lease ([0-9a-f]{16}) granted with TTL\(300s\)\nOK\n$/.exec(out.toString()) ?? [];
    const told = await run(["lease", "timetolive", id!, "--keys", at]);
    expect(told.out.toString()).toMatch(
      /granted with TTL\(300s\), remaining\(\d+s\), attached keys\(\[k\]\)/,
    );
    const inJson = (await run(["put", "k", "v", "--ttl", "300", "-w", "json", at])).out
      .toString()
      .split("\n");
    expect(inJson.map((line) => Object.keys(line === "" ? {} : JSON.parse(line)))).toEqual([
      ["cluster_id", "member_id", "revision", "raft_term", "ID", "TTL", "Error"],
      ["header"],
      [],
    ]);
    const both = await run(["put", "k", "v", "--ttl", "300", "--lease", id!, at]);
    expect([both.exitCode, both.error]).toEqual([
      128,
      "Error: `--ttl` makes a lease: it cannot be set with `--lease` or `--ignore-lease`\n",
    ]);
    expect((await run(["put", "k", "v", "--ttl", "0", at])).exitCode).toBe(128);
    // A lease whose key could not be put is not left behind.
    const leases = async () => (await run(["lease", "list", at])).out.toString();
    const before = await leases();
    expect((await run(["put", "none", "--ignore-value", "--ttl", "300", at])).exitCode).toBe(1);
    expect(await leases()).toBe(before);
  });

  test("watch takes its key from the environment, and runs a program for each event", async () => {
    const at = `--endpoints=${etcd.endpoint}`;
    const environment = { ETCDCTL_WATCH_KEY: "env", ETCDCTL_WATCH_RANGE_END: "enw" };
    await run(["put", "env1", "v", at]);
    const script = 'echo "$ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"; exit 1';
    const line = ["watch", "--rev", "1", at, "--", "sh", "-c", script];
    const { out, error, exitCode } = await run(line, { environment });
    expect([exitCode, out.toString()]).toEqual([1, 'PUT\nenv1\nv\n"PUT" "env1" "v"\n']);
    expect(error).toContain("error (exit status 1)\n");
    const conflict = await run(["watch", "k", at], { environment });
    expect([conflict.exitCode, conflict.error]).toEqual([
      128,
      "Error: bad number of arguments (found conflicting environment key)\n",
    ]);
    const noKey = await run(["watch", at], { environment: { ETCDCTL_WATCH_RANGE_END: "z" } });
    expect(noKey.error).toBe('Error: ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END="z"\n');
  });

  test("watch -i: watches that lines ask for, and progress", async () => {
    const at = `--endpoints=${etcd.endpoint}`;
    await run(["put", "i/a", "1", at]);
    // Each line is typed when what the one before it asked for was printed.
    const printed: (() => void)[] = [];
    const output = (): Promise<void> => new Promise((resolve) => printed.push(resolve));
    async function* typed() {
      yield Buffer.from("watch i/ --prefix --rev 1\n");
      await output();
      yield Buffer.from("progress\n");
      await output();
    }
    const onOut = (): void => printed.shift()?.();
    const { exitCode, out, error } = await run(["watch", "-i", at], { stdin: typed(), onOut });
    expect(out.toString()).toMatch(/^PUT\ni\/a\n1\nprogress notify: \d+\n$/);
    expect([exitCode, error]).toEqual([3, "Error: error reading watch request line: EOF\n"]);
  });

  test("put from standard input, get, change in a transaction, delete", async () => {
    const at = `--endpoints=${etcd.endpoint}`;
    const text = async (argv: readonly string[], stdin?: string) =>
      (await run([...argv, at], stdin === undefined ? {} : { stdin })).out.toString();
    expect(await text(["put", "k"], "from\nstdin")).toBe("OK\n");
    expect(await text(["get", "k", "--print-value-only"])).toBe("from\nstdin\n");
    expect(await text(["txn", "-i"], 'create("k") > "0"\n\nput k \'new value\' --prev-kv\nget k\n\n\n')).toBe(
      "compares:\nsuccess requests (get, put, del):\nfailure requests (get, put, del):\nSUCCESS\n\nOK\nk\nfrom\nstdin\n\nk\nnew value\n",
    );
    expect(await text(["del", "k", "--prev-kv"])).toBe("1\nk\nnew value\n");
    expect(await text(["get", "k"])).toBe("");
  });
});
