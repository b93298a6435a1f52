/** The same command lines for us and for a real etcdctl, against a real etcd: output must not differ by a byte. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { etcdctlVersion, etcdVersion, isAtLeast, type RealEtcd, startEtcd } from "../client/real-etcd.js";
import { type Outcome, run } from "./fake-host.js";

// Formats differ between releases; ours are those of 3.7.
const comparable = isAtLeast(etcdctlVersion, 3, 7) && isAtLeast(etcdVersion, 3, 7);
const found = `${etcdVersion ?? "no etcd"} and ${etcdctlVersion ?? "no etcdctl"}`;
const reason = comparable ? "" : ` (skipped: needs etcd and etcdctl 3.7 on PATH, there are ${found})`;

function etcdctl(argv: readonly string[], stdin: string | undefined): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn("etcdctl", argv, { stdio: "pipe" });
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
    await run(["txn", "--endpoints", etcd.endpoint], { stdin: '\nput "bin\\x00\\xff" "\\x80\\x01"\n\n\n' });
  });
  afterAll(() => etcd.stop());

  async function compare(argv: readonly string[], stdin?: string): Promise<void> {
    const whole = [...argv, `--endpoints=${etcd.endpoint}`];
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

const anyReason = etcdVersion === undefined ? " (skipped: no etcd on PATH)" : "";

describe.skipIf(etcdVersion === undefined)(`against any real etcd${anyReason}`, () => {
  let etcd: RealEtcd;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.stop());

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
    expect(await text(["get", "", "--prefix"])).toBe("");
  });
});
