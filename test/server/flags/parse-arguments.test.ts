import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flagGroups, flagsByName } from "../../../src/server/flags/flag-table.js";
import { FlagValues } from "../../../src/server/flags/flag-values.js";
import { parseArguments, UsageError } from "../../../src/server/flags/parse-arguments.js";
import { etcdFlagNames } from "./etcd-flag-names.js";

function parsed(...args: readonly string[]): FlagValues {
  const values = new FlagValues();
  parseArguments(args, values);
  return values;
}

function usageErrorOf(...args: readonly string[]): string {
  try {
    parsed(...args);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error("no error");
}

describe("a script written for etcd starts us with the same words", () => {
  test("every flag of etcd's help text is known, and listed in ours in the same order", () => {
    const shown = flagGroups.flatMap((group) => group.flags).map((spec) => spec.name);
    expect(shown).toEqual(etcdFlagNames);
  });

  test.each(etcdFlagNames.map((name) => [name]))("--%s takes its own default back in both forms", (name) => {
    const spec = flagsByName.get(name)!;
    expect(parsed(`--${name}=${spec.defaultText}`).isGiven(name)).toBe(true);
    if (spec.kind !== "bool") expect(parsed(`-${name}`, spec.defaultText).isGiven(name)).toBe(true);
  });

  test("--flag=value, --flag value and -flag mean the same", () => {
    for (const args of [["--name=m1"], ["--name", "m1"], ["-name=m1"], ["-name", "m1"]]) {
      expect(parsed(...args).text("name")).toBe("m1");
    }
  });

  test("a value may hold an equals sign and be empty", () => {
    expect(parsed("--initial-cluster=a=http://127.0.0.1:1").text("initial-cluster")).toBe(
      "a=http://127.0.0.1:1",
    );
    expect(parsed("--wal-dir=").text("wal-dir")).toBe("");
  });

  test("a bare boolean is true and does not swallow the next word", () => {
    const values = parsed("--pre-vote=false", "--force-new-cluster", "--name", "m1");
    expect(values.bool("pre-vote")).toBe(false);
    expect(values.bool("force-new-cluster")).toBe(true);
    expect(values.text("name")).toBe("m1");
  });

  test("the last of equal flags wins", () => {
    expect(parsed("--name=a", "--heartbeat-interval=50", "--name=b").text("name")).toBe("b");
  });

  test("flags of etcd 2 are swallowed with or without a value", () => {
    expect(parsed("--snapshot=true", "--vv", "--name=m1").text("name")).toBe("m1");
  });

  test("--help ends the reading, also before a mistake", () => {
    expect(parseArguments(["--name=a", "-h", "--nonsense"], new FlagValues()).help).toBe(true);
  });

  test("the first word that is no flag ends the flags", () => {
    expect(parseArguments(["--name=a", "rest", "--name=b"], new FlagValues()).rest).toEqual([
      "rest",
      "--name=b",
    ]);
    expect(parseArguments(["--", "--name=b"], new FlagValues()).rest).toEqual(["--name=b"]);
  });
});

describe("mistakes are told in etcd's words", () => {
  test.each([
    [["--nope"], "flag provided but not defined: -nope"],
    [["--nope=1"], "flag provided but not defined: -nope"],
    [
      ["--experimental-initial-corrupt-check=true"],
      "flag provided but not defined: -experimental-initial-corrupt-check",
    ],
    [["---x"], "bad flag syntax: ---x"],
    [["--=x"], "bad flag syntax: --=x"],
    [["--heartbeat-interval"], "flag needs an argument: -heartbeat-interval"],
    [["--heartbeat-interval=abc"], 'invalid value "abc" for flag -heartbeat-interval: parse error'],
    [["--bcrypt-cost=-1"], 'invalid value "-1" for flag -bcrypt-cost: parse error'],
    [
      ["--max-txn-ops=18446744073709551616"],
      'invalid value "18446744073709551616" for flag -max-txn-ops: value out of range',
    ],
    [["--quota-backend-bytes=1.5"], 'invalid value "1.5" for flag -quota-backend-bytes: parse error'],
    [["--grpc-keepalive-min-time=5"], 'invalid value "5" for flag -grpc-keepalive-min-time: parse error'],
    [["--pre-vote=maybe"], 'invalid boolean value "maybe" for -pre-vote: parse error'],
    [["--initial-cluster-state=foo"], 'invalid value "foo" for flag -initial-cluster-state: invalid value'],
    [
      ["--feature-gates=Foo=true"],
      'invalid value "Foo=true" for flag -feature-gates: unrecognized feature gate: Foo',
    ],
    [
      ["--listen-peer-urls=ftp://x"],
      'invalid value "ftp://x" for flag -listen-peer-urls: URL scheme must be http, https, unix, or unixs: ftp://x',
    ],
  ])("%j", (args, message) => {
    expect(usageErrorOf(...args)).toBe(message);
  });

  test("no command line makes anything but a usage error", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(...etcdFlagNames).map((name) => `--${name}`),
      fc.tuple(fc.constantFrom(...etcdFlagNames), fc.string()).map(([name, text]) => `--${name}=${text}`),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (args) => {
        try {
          parseArguments(args, new FlagValues());
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });
});
