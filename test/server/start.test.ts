import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Logger, silentLogger } from "../../src/base/logger.js";
import { etcdVersion, quorateVersion } from "../../src/base/version.js";
import { prepareDataDir } from "../../src/server/data-dir.js";
import { FlagValues } from "../../src/server/flags/flag-values.js";
import { flagsText } from "../../src/server/flags/help.js";
import { parseArguments } from "../../src/server/flags/parse-arguments.js";
import {
  busyText,
  localMembers,
  memberArguments,
  memberLine,
  readyText,
} from "../../src/server/local-members.js";
import { describeStartFailure } from "../../src/server/start-failure.js";
import { versionText } from "../../src/server/version-text.js";
import { makeTempDir, type TempDir } from "../support/temp-dir.js";

describe("the data directory", () => {
  let directory: TempDir;
  beforeEach(async () => {
    directory = await makeTempDir("data-dir");
  });
  afterEach(() => directory.remove());

  function warningsOf(path: string): readonly string[] {
    const warnings: string[] = [];
    const log: Logger = { ...silentLogger, warn: (_caller, message) => void warnings.push(message) };
    prepareDataDir(path, log);
    return warnings;
  }

  test("is made for its owner alone, with everything above it that is missing", () => {
    const path = join(directory.path, "a", "m1.etcd");
    expect(prepareDataDir(path, silentLogger)).toBe("empty");
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(warningsOf(path)).toEqual([]);
  });

  test("is told apart from one that has data, and foreign files are named", () => {
    mkdirSync(join(directory.path, "member"));
    writeFileSync(join(directory.path, "notes.txt"), "");
    expect(prepareDataDir(directory.path, silentLogger)).toBe("member");
    expect(warningsOf(directory.path)).toEqual(["found invalid file under data directory"]);
  });

  test("that others may read is warned about", () => {
    chmodSync(directory.path, 0o755);
    expect(warningsOf(directory.path)).toEqual(["check file permission"]);
  });

  test("of an etcd is refused and left as it is", () => {
    mkdirSync(join(directory.path, "member", "snap"), { recursive: true });
    writeFileSync(join(directory.path, "member", "snap", "db"), "bbolt");
    expect(() => prepareDataDir(directory.path, silentLogger)).toThrow("holds the data of an etcd");
    expect(readFileSync(join(directory.path, "member", "snap", "db"), "utf8")).toBe("bbolt");
  });

  test("that is a file is refused", () => {
    const path = join(directory.path, "file");
    writeFileSync(path, "");
    expect(() => prepareDataDir(path, silentLogger)).toThrow("cannot access data directory");
  });
});

test("a port in use is named", async () => {
  const first = createServer();
  await new Promise<void>((resolve) => first.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const { port } = first.address() as { readonly port: number };
  const failure = await new Promise<Error>((resolve) => {
    createServer().once("error", resolve).listen({ host: "127.0.0.1", port });
  });
  expect((describeStartFailure(failure) as Error).message).toBe(
    `listen tcp 127.0.0.1:${port}: bind: address already in use`,
  );
  const other = new Error("other");
  expect(describeStartFailure(other)).toBe(other);
  await new Promise((resolve) => first.close(resolve));
});

test("scripts find etcd's version in the first line, and ours is that of the package", () => {
  expect(versionText().split("\n")[0]).toBe(`etcd Version: ${etcdVersion}`);
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
  expect(quorateVersion).toBe(manifest.version);
});

test("the help text has every group and the known features", () => {
  const text = flagsText();
  for (const part of ["Member:", "Unsafe feature:", "  --data-dir ''", "LeaseCheckpoint=true|false"]) {
    expect(text).toContain(part);
  }
});

describe("the local cluster", () => {
  const members = localMembers("/data");

  test("has three members that know each other and share no port or directory", () => {
    expect(members).toHaveLength(3);
    const distinct = new Set(
      members.flatMap(({ name, clientUrl, peerUrl, dataDir }) => [name, clientUrl, peerUrl, dataDir]),
    );
    expect(distinct.size).toBe(12);
    for (const member of members) {
      const values = new FlagValues();
      expect(parseArguments(memberArguments(member, members), values).rest).toEqual([]);
      expect(values.text("initial-cluster")).toBe(
        "m1=http://127.0.0.1:2380,m2=http://127.0.0.1:22380,m3=http://127.0.0.1:32380",
      );
    }
  });

  test("marks lines with the member's name and prints endpoints to copy", () => {
    expect(memberLine(members[1]!, "hello")).toBe("m2 | hello\n");
    expect(readyText(members)).toContain("--endpoints=127.0.0.1:2379,127.0.0.1:22379,127.0.0.1:32379 put");
    expect(busyText(2379)).toContain("127.0.0.1:2379");
  });
});
