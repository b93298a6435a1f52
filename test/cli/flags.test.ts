import { expect, test } from "vitest";
import { type FlagSpec, flagUsages, parseArguments } from "../../src/cli/flags.js";

const specs: readonly FlagSpec[] = [
  { name: "write-out", short: "w", kind: "string", default: "simple", usage: "format" },
  { name: "prefix", kind: "bool", default: false, usage: "all below" },
  { name: "hex", short: "x", kind: "bool", default: false, usage: "in hexadecimal" },
  { name: "interactive", short: "i", kind: "bool", default: false, usage: "ask" },
  { name: "limit", kind: "int", default: 0n, usage: "how many" },
  { name: "command-timeout", kind: "duration", default: 5_000, defaultText: "5s", usage: "how long" },
  { name: "endpoints", kind: "strings", default: ["127.0.0.1:2379"], usage: "where" },
];
const parse = (...argv: string[]) => parseArguments(specs, argv);

test("flags stand anywhere, with = or a space, and -- ends them", () => {
  const { flags, positional } = parse(
    "a",
    "--limit=3",
    "--command-timeout",
    "1m30s",
    "b",
    "--",
    "--prefix",
    "-c",
  );
  expect(positional).toEqual(["a", "b", "--prefix", "-c"]);
  expect([flags.int("limit"), flags.durationMs("command-timeout"), flags.bool("prefix")]).toEqual([
    3n,
    90_000,
    false,
  ]);
});

test("short flags take their value attached, with = or as the next word, and booleans run together", () => {
  for (const argv of [["-wjson"], ["-w=json"], ["-w", "json"]]) {
    expect(parse(...argv).flags.string("write-out")).toBe("json");
  }
  const { flags } = parse("-ix", "-wfields");
  expect([flags.bool("interactive"), flags.bool("hex"), flags.string("write-out")]).toEqual([
    true,
    true,
    "fields",
  ]);
});

test("a boolean never takes the next word, only what stands after =", () => {
  const { flags, positional } = parse("--prefix", "false", "--hex=f");
  expect([flags.bool("prefix"), flags.bool("hex"), flags.changed("hex"), positional]).toEqual([
    true,
    false,
    true,
    ["false"],
  ]);
});

test("a list given twice adds up, and its first mention replaces the default", () => {
  expect(parse().flags.strings("endpoints")).toEqual(["127.0.0.1:2379"]);
  expect(parse("--endpoints", "a,b", "--endpoints=c").flags.strings("endpoints")).toEqual(["a", "b", "c"]);
  expect(parse("--endpoints=").flags.strings("endpoints")).toEqual([]);
});

test("a lone dash is an argument, and the last of two flags wins", () => {
  const { flags, positional } = parse("-", "--limit", "1", "--limit", "2");
  expect([positional, flags.int("limit")]).toEqual([["-"], 2n]);
});

test.each([
  [["--nope"], "unknown flag: --nope"],
  [["---x"], "bad flag syntax: ---x"],
  [["-q"], "unknown shorthand flag: 'q' in -q"],
  [["-xq"], "unknown shorthand flag: 'q' in -q"],
  [["-w"], "flag needs an argument: 'w' in -w"],
  [["--limit"], "flag needs an argument: --limit"],
  [
    ["--limit", "x"],
    'invalid argument "x" for "--limit" flag: strconv.ParseInt: parsing "x": invalid syntax',
  ],
  [
    ["--prefix=x"],
    'invalid argument "x" for "--prefix" flag: strconv.ParseBool: parsing "x": invalid syntax',
  ],
  [
    ["-x=maybe"],
    'invalid argument "maybe" for "-x, --hex" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
  ],
  [
    ["--command-timeout=5"],
    'invalid argument "5" for "--command-timeout" flag: time: missing unit in duration "5"',
  ],
])("%j is refused in pflag's words", (argv, message) => {
  expect(() => parse(...argv)).toThrow(message);
});

test("usages stand in one column, with defaults that are not zero", () => {
  expect(flagUsages(specs)).toBe(
    [
      "      --command-timeout duration   how long (default 5s)",
      "      --endpoints strings          where (default [127.0.0.1:2379])",
      "  -x, --hex                        in hexadecimal",
      "  -i, --interactive                ask",
      "      --limit int                  how many",
      "      --prefix                     all below",
      '  -w, --write-out string           format (default "simple")',
      "",
    ].join("\n"),
  );
});
