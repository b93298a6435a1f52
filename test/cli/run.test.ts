import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "./fake-host.js";

/** Nothing listens there; commands that would ask it have failed before. */
const dead = "--endpoints=127.0.0.1:1";

describe("finding the command", () => {
  test("version names the program that was called", async () => {
    for (const program of ["etcdctl", "etcdutl", "quorate"] as const) {
      const { exitCode, out } = await run(["version"], { program });
      expect([exitCode, out.toString()]).toEqual([0, `${program} version: 3.7.1\nAPI version: 3.7\n`]);
    }
  });

  test("an unknown command is refused as cobra words it, with what may have been meant", async () => {
    expect(await run(["gett", "a"])).toMatchObject({
      exitCode: 1,
      error: `Error: unknown command "gett" for "etcdctl"\n\nDid you mean this?\n\tget\n\nRun 'etcdctl --help' for usage.\n`,
    });
    expect(await run(["frobnicate", "--bad"])).toMatchObject({
      exitCode: 1,
      error: `Error: unknown command "frobnicate" for "etcdctl"\nRun 'etcdctl --help' for usage.\n`,
    });
  });

  test("the beginning of a name is enough, and flags may stand before it", async () => {
    expect((await run(["-w", "json", "--hex", "ver"])).out.toString()).toContain("API version");
    expect((await run(["comp"])).error).toBe("Error: compaction command needs 1 argument\n");
  });

  test("server is a command of quorate alone, and etcdutl has none of the client's", async () => {
    expect((await run(["server"], { program: "etcdctl" })).error).toContain('unknown command "server"');
    expect((await run(["get", "a"], { program: "etcdutl" })).error).toContain(
      'unknown command "get" for "etcdutl"',
    );
  });
});

describe("help", () => {
  test("of the program lists commands in groups, whichever way it is asked for", async () => {
    const asked = await Promise.all([[], ["help"], ["--help"], ["-h"]].map((argv) => run(argv)));
    for (const { exitCode, out, error } of asked) {
      expect([exitCode, error]).toEqual([0, ""]);
      expect(out.toString()).toBe(asked[0]!.out.toString());
    }
    const text = asked[0]!.out.toString();
    expect(text).toContain("\nUsage:\n  etcdctl [command]\n\nKey-value commands\n  compaction  ");
    expect(text).toContain('\nUse "etcdctl [command] --help" for more information about a command.\n');
  });

  test("of a command has its usage and flags, not the global ones", async () => {
    const [help, flag] = await Promise.all([
      run(["help", "endpoint", "health"]),
      run(["endpoint", "health", "-h"]),
    ]);
    expect(help.out.toString()).toBe(flag.out.toString());
    expect(help.out.toString()).toContain(
      "Usage:\n  etcdctl endpoint health [flags]\n\nFlags:\n  -h, --help   help for health\n\nGlobal Flags:\n      --cluster   ",
    );
    expect(help.out.toString()).not.toContain("--cacert");
    expect((await run(["options"])).out.toString()).toContain("--cacert string");
  });

  test("a command that only has others below it shows its help, with any word after it", async () => {
    const [alone, word] = await Promise.all([run(["endpoint"]), run(["endpoint", "foo"])]);
    expect([alone.exitCode, word.exitCode]).toEqual([0, 0]);
    expect(alone.out.toString()).toContain("Available Commands:\n  hashkv      ");
    expect(word.out.toString()).toBe(alone.out.toString());
  });

  test("of what is no command", async () => {
    expect((await run(["help", "nope"])).error).toContain("Unknown help topic [`nope`]\nUsage:\n");
  });

  test("every command has help", async () => {
    const commands = [
      ..."get put del txn compaction version options help move-leader defrag snapshot"
        .split(" ")
        .map((name) => [name]),
      ["snapshot", "save"],
      ["endpoint", "status"],
      ["endpoint", "hashkv"],
      ..."list add remove update promote".split(" ").map((name) => ["member", name]),
      ["alarm", "list"],
      ["alarm", "disarm"],
    ];
    for (const command of commands) {
      const { exitCode, out } = await run([...command, "--help"]);
      expect([exitCode, out.toString()]).toEqual([
        0,
        expect.stringContaining(`Usage:\n  etcdctl ${command.join(" ")}`),
      ]);
    }
  });
});

describe("bad arguments, in etcdctl's words and with its exit codes", () => {
  test.each([
    [128, ["get"], "get command needs one argument as key and an optional argument as range_end"],
    [
      128,
      ["get", "a", "--prefix", "--from-key"],
      "`--prefix` and `--from-key` cannot be set at the same time, choose one",
    ],
    [
      128,
      ["get", "a", "--keys-only", "--count-only"],
      "`--keys-only` and `--count-only` cannot be set at the same time, choose one",
    ],
    [
      128,
      ["get", "a", "b", "--prefix"],
      "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
    ],
    [4, ["get", "a", "--order", "x"], "bad sort order x"],
    [4, ["get", "a", "--sort-by", "x"], "bad sort target x"],
    [4, ["get", "a", "--sort-by", "constructor"], "bad sort target constructor"],
    [4, ["get", "a", "--consistency", "x"], 'unknown consistency flag "x"'],
    [4, ["get", "a", "--min-mod-rev=4", "--max-mod-rev=3"], "getMinModRev(=4) > getMaxModRev(=3)"],
    [4, ["get", "a", "-w", "xx"], "unsupported output format"],
    [2, ["get", "a", "--endpoints="], "etcdclient: no available endpoints"],
    [128, ["get", "a", "--cert", "x"], "KeyFile and CertFile must both be present[key: , cert: x]"],
    [128, ["get", "a", "--cacert="], "empty string is passed to --cacert option"],
    [128, ["get", "a", "--cacert", "/no/such"], "open /no/such: no such file or directory"],
    [128, ["put"], "put command needs 1 argument and input from stdin or 2 arguments"],
    [128, ["put", "a"], "put command needs 1 argument and input from stdin or 2 arguments"],
    [
      128,
      ["put", "a", "b", "--ignore-value"],
      "put command needs only 1 argument when 'ignore-value' is set",
    ],
    [
      128,
      ["put", "a", "b", "--lease", "zz"],
      'bad lease ID (strconv.ParseInt: parsing "zz": invalid syntax), expecting ID in Hex',
    ],
    [128, ["del"], "del command needs one argument as key and an optional argument as range_end"],
    [128, ["txn", "x"], "txn command does not accept argument"],
    [1, ["compaction", "x"], 'strconv.ParseInt: parsing "x": invalid syntax'],
    [128, ["move-leader"], "move-leader command needs 1 argument"],
    [128, ["move-leader", "zz"], 'strconv.ParseUint: parsing "zz": invalid syntax'],
    [128, ["member", "add"], "member name not provided"],
    [128, ["member", "add", "a"], "member peer urls not provided"],
    [128, ["member", "add", "a", "http://x:1"], "too many arguments, did you mean --peer-urls=http://x:1"],
    [128, ["member", "remove"], "member ID is not provided"],
    [
      128,
      ["member", "promote", "zz"],
      'bad member ID arg (strconv.ParseUint: parsing "zz": invalid syntax), expecting ID in Hex',
    ],
    [128, ["member", "update", "12"], "member peer urls not provided"],
    [128, ["alarm", "list", "x"], "alarm list command accepts no arguments"],
    [128, ["alarm", "disarm", "x"], "alarm disarm command accepts no arguments"],
    [128, ["snapshot", "save"], "snapshot save expects one argument <filename>"],
    [
      5,
      ["snapshot", "save", "/no/such/dir/x"],
      "could not open /no/such/dir/x.part (open /no/such/dir/x.part: no such file or directory)",
    ],
    [
      5,
      ["snapshot", "save", "x", "--endpoints=a,b"],
      "snapshot must be requested to one selected node, not multiple [a b]",
    ],
  ])("%d for %j", async (exitCode, argv, message) => {
    const endpoints = argv.some((word) => word.startsWith("--endpoints")) ? [] : [dead];
    expect(await run([...argv, ...endpoints])).toMatchObject({ exitCode, error: `Error: ${message}\n` });
  });

  test("a flag that cannot be read is told with the usage", async () => {
    const { exitCode, error } = await run(["get", "a", "--limit", "x"]);
    expect(exitCode).toBe(1);
    expect(error).toContain(
      'Error: invalid argument "x" for "--limit" flag: strconv.ParseInt: parsing "x": invalid syntax\nUsage:\n  etcdctl get [options] <key> [range_end] [flags]\n\nFlags:\n',
    );
  });

  test("a transaction that ends in the middle of its lines is not sent", async () => {
    expect(await run(["txn", dead], { stdin: 'mod("a") > "0"' })).toMatchObject({
      exitCode: 3,
      error: "Error: EOF\n",
    });
    expect(await run(["txn", dead], { stdin: "\nfoo a\n\n\n" })).toMatchObject({
      exitCode: 3,
      error: "Error: invalid txn request: foo a\n",
    });
  });
});

describe("without a server", () => {
  const waiting = [dead, "--command-timeout=50ms"];

  test.each([[["get", "a"]], [["put", "a", "b"]], [["member", "list"]], [["move-leader", "1"]]])(
    "%j ends at --command-timeout",
    async (argv) => {
      expect(await run([...argv, ...waiting])).toMatchObject({
        exitCode: 1,
        error: "Error: context deadline exceeded\n",
      });
    },
  );

  test("endpoint health and status say which endpoint failed", async () => {
    expect(await run(["endpoint", "health", ...waiting])).toMatchObject({
      exitCode: 1,
      error:
        "127.0.0.1:1 is unhealthy: failed to commit proposal: context deadline exceeded\nError: unhealthy cluster\n",
    });
    expect(await run(["endpoint", "status", ...waiting])).toMatchObject({
      exitCode: 1,
      error: "Failed to get the status of endpoint 127.0.0.1:1 (context deadline exceeded)\n",
    });
    expect((await run(["endpoint", "status", "--cluster", ...waiting])).error).toBe(
      "Error: failed to fetch endpoints from etcd cluster member list: context deadline exceeded\n",
    );
  });

  test("a snapshot that failed leaves no file behind", async () => {
    const directory = mkdtempSync(join(tmpdir(), "quorate-cli-"));
    try {
      const { exitCode, error } = await run(["snapshot", "save", join(directory, "s.db"), ...waiting]);
      expect([exitCode, error.endsWith("Error: context deadline exceeded\n")]).toEqual([5, true]);
      expect(readdirSync(directory)).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("a password that is asked for", () => {
  const argv = ["get", "a", dead, "--command-timeout=30ms", "--user", "root"];

  test("is read from one line, and never shown", async () => {
    const { error } = await run(argv, { stdin: "secreT\x7ft\nnot this" });
    expect(error).toBe("Password: \nError: context deadline exceeded\n");
  });

  test("ends the command at Ctrl-C", async () => {
    expect(await run(argv, { stdin: "sec\x03" })).toMatchObject({ exitCode: 1, error: "Password: \n" });
  });
});

describe("the environment", () => {
  test("sets flags that the command line leaves alone", async () => {
    const environment = {
      ETCDCTL_ENDPOINTS: "127.0.0.1:1",
      ETCDCTL_COMMAND_TIMEOUT: "40ms",
      ETCDCTL_API: "3",
    };
    expect(await run(["endpoint", "hashkv"], { environment })).toMatchObject({
      exitCode: 1,
      error:
        "Failed to get the hash of endpoint 127.0.0.1:1 (context deadline exceeded)\nError: context deadline exceeded\n",
    });
  });

  test("that a flag contradicts ends the command, as nobody could know which was meant", async () => {
    const { exitCode, error } = await run(["get", "a", dead], {
      environment: { ETCDCTL_ENDPOINTS: "127.0.0.1:2" },
    });
    expect(exitCode).toBe(1);
    expect(JSON.parse(error)).toMatchObject({
      level: "fatal",
      msg: "conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))",
      "environment-variable": "ETCDCTL_ENDPOINTS",
    });
  });

  test("that no flag has is warned of", async () => {
    const environment = { ETCDCTL_TYPO: "1", HOME: "/" };
    const { error } = await run(["get", "a", dead, "--command-timeout=20ms"], { environment });
    expect(JSON.parse(error.split("\n")[0]!)).toMatchObject({
      level: "warn",
      msg: "unrecognized environment variable",
      "environment-variable": "ETCDCTL_TYPO=1",
    });
  });
});
