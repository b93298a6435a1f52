/**
 * The rules of the house as a test: which room may import which, what the pure rooms must not touch, how long a
 * file may grow. A rule that is broken here would otherwise be found by a reviewer, late.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** A folder imports only folders above it in this list (ARCHITECTURE.md, "Rooms"). */
const rooms = [
  "base",
  "gen",
  "raft",
  "mvcc",
  "lease",
  "auth",
  "membership",
  "apply",
  "ports",
  "member",
  "storage",
  "transport",
  "api",
  "server",
  "client",
  "recipes",
  "cli",
];

/** Rooms that must also not see some of those above them. */
const forbidden: Readonly<Record<string, readonly string[]>> = {
  base: rooms.filter((room) => room !== "base"),
  gen: rooms.filter((room) => room !== "gen"),
  raft: ["gen"],
  lease: ["raft", "mvcc"],
  auth: ["raft", "mvcc", "lease"],
  membership: ["raft", "mvcc", "lease", "auth"],
  client: rooms.filter((room) => !["base", "gen", "client"].includes(room)),
  recipes: rooms.filter((room) => !["base", "gen", "client", "recipes"].includes(room)),
  "transport/http2": rooms.filter((room) => !["base", "transport"].includes(room)),
};

const pureFolders = [
  "src/raft/",
  "src/mvcc/",
  "src/lease/",
  "src/auth/",
  "src/membership/",
  "src/apply/",
  "src/member/core/",
];

const impure: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a clock", /\bDate\b|\bperformance\b|\bhrtime\b/],
  ["an unseeded random number", /Math\.random|\bcrypto\b/],
  ["a promise", /\bawait\b|\basync\b|\bPromise\b/],
  ["a timer", /\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/],
  ["Node.js", /from "node:|\bprocess\.|\bBuffer\./],
];

/** Lines; a file about one thing rarely needs more. */
const fileLinesMax = 400;

function tracked(...patterns: readonly string[]): string[] {
  const output = execFileSync(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", ...patterns],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  return [...new Set(output.split("\n"))].filter((file) => file !== "").sort();
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** The source without comments and string contents: words in prose break no rule. */
function code(file: string): string {
  return read(file)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(^|\s)\/\/.*$/gm, "");
}

function roomOf(file: string): string {
  return file.split("/")[1] ?? "";
}

function importsOf(file: string): string[] {
  const found = [...code(file).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) => match[1]!);
  return found.map((path) => relative(root, resolve(root, dirname(file), path)));
}

const sources = tracked("src/*.ts").filter((file) => !file.startsWith("src/gen/"));

describe("rooms", () => {
  test("every folder of src is a known room", () => {
    const unknown = sources.filter((file) => file.split("/").length > 2 && !rooms.includes(roomOf(file)));
    expect(unknown).toEqual([]);
  });

  test("a room imports only rooms above it", () => {
    const broken: string[] = [];
    for (const file of sources) {
      const room = roomOf(file);
      for (const imported of importsOf(file)) {
        const target = roomOf(imported);
        const nested = Object.keys(forbidden).filter((prefix) => file.startsWith(`src/${prefix}/`));
        const isForbidden = nested.some((prefix) => forbidden[prefix]!.includes(target) && target !== room);
        if (rooms.indexOf(target) > rooms.indexOf(room) || isForbidden)
          broken.push(`${file} imports ${imported}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test("only one file knows the LevelDB package, and only files of transport and client know grpc-js", () => {
    const importers = (name: string): string[] =>
      sources.filter((file) => new RegExp(`(from|import\\()\\s*"${name}"`).test(code(file)));
    expect(importers("classic-level")).toEqual(["src/storage/leveldb/classic-level-store.ts"]);
    const strangers = importers("@grpc/grpc-js").filter((file) => !/^src\/(transport|client)\//.test(file));
    expect(strangers).toEqual([]);
  });
});

describe("purity", () => {
  test("the pure rooms have no clock, no chance, no promise, no Node.js", () => {
    const broken: string[] = [];
    for (const file of sources.filter((name) => pureFolders.some((folder) => name.startsWith(folder)))) {
      const text = code(file).replace(/"(?:[^"\\\n]|\\.)*"/g, (literal) =>
        literal.startsWith('"node:') ? literal : '""',
      );
      for (const [what, pattern] of impure) if (pattern.test(text)) broken.push(`${file} touches ${what}`);
    }
    expect(broken).toEqual([]);
  });
});

describe("files", () => {
  test("no source file is longer than a file about one thing should be", () => {
    const long = sources
      .map((file) => [file, read(file).split("\n").length] as const)
      .filter(([, lines]) => lines > fileLinesMax);
    expect(long).toEqual([]);
  });

  test("nothing is left loose: no unfinished marks, no silenced compiler, no test that is switched off", () => {
    const marks = new RegExp(
      `\\b(${["TO", "FIX", "XX"].map((start, at) => start + ["DO", "ME", "X"][at]).join("|")})\\b`,
    );
    const silenced = new RegExp(`@ts-${"ignore"}|@ts-${"nocheck"}|\\bas any\\b`);
    const broken: string[] = [];
    for (const file of tracked("src/*.ts", "test/*.ts", "cluster-test/*.ts", "bench/*.ts")) {
      if (file.startsWith("src/gen/")) continue;
      const text = read(file);
      if (marks.test(text)) broken.push(`${file} has an unfinished mark`);
      if (silenced.test(code(file))) broken.push(`${file} silences the compiler`);
      if (/\b(test|it|describe)\.only\(/.test(text)) broken.push(`${file} runs one test alone`);
    }
    expect(broken).toEqual([]);
  });

  test("no path of one machine stands in the tree", () => {
    const machinePath = new RegExp(["/work", "/root/", "/home/[a-z]"].map((path) => `${path}`).join("|"));
    const broken = tracked("*.ts", "*.md", "*.json", "*.sh", "*.go", "*.py", "*.yaml", ".ci/*", "bin/*")
      .filter((file) => file !== "package-lock.json" && file !== "test/tidy.test.ts")
      .filter((file) =>
        machinePath.test(
          read(file)
            .replaceAll("/workspace", "")
            .replaceAll(/\/work(er|s|ing|\b-)/g, ""),
        ),
      );
    expect(broken).toEqual([]);
  });

  test("the documents that a newcomer needs are there", () => {
    const files = tracked();
    for (const needed of [
      "README.md",
      "ARCHITECTURE.md",
      "CHANGELOG.md",
      ".ci/run",
      "package-lock.json",
      "docs/dependencies.md",
      "docs/known-bugs.md",
    ]) {
      expect(files).toContain(needed);
    }
  });
});

describe("docs/known-bugs.md", () => {
  const rows = read("docs/known-bugs.md")
    .split("\n")
    .filter((line) => /^\| (?!What went wrong)/.test(line));
  const files = tracked("test/*.ts");

  test("names tests that exist", () => {
    const broken: string[] = [];
    for (const row of rows) {
      // After a file come the names of its tests, until the next file.
      for (const [, file, rest] of row.matchAll(/`(test\/[^`]+)`((?:(?!`test\/).)*)/g)) {
        if (!files.includes(file!)) broken.push(`there is no ${file}`);
        else {
          const text = read(file!);
          for (const [, name] of rest!.matchAll(/"([^"]+)"/g)) {
            if (!text.includes(`"${name}`) && !text.includes(`\`${name}`)) broken.push(`${file}: ${name}`);
          }
        }
      }
    }
    expect(broken).toEqual([]);
  });

  test("has a test for each bug, or says with what it comes", () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((row) => !/`test\/[^`]+\.test\.ts`|Comes with/.test(row))).toEqual([]);
  });
});
