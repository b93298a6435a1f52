import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readdirSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AssertionError } from "../../src/base/assert.js";
import { limits } from "../../src/base/limits.js";
import { formatConsoleLine, formatJsonLine } from "../../src/server/log-format.js";
import { StreamOutput } from "../../src/server/log-output.js";
import { RotatingFile } from "../../src/server/log-rotation.js";
import { LogTimestamps } from "../../src/server/log-timestamps.js";
import { LogWriter, openLogWriter } from "../../src/server/log-writer.js";
import { makeTempDir, type TempDir } from "../support/temp-dir.js";

let directory: TempDir;
beforeAll(async () => {
  directory = await makeTempDir("log");
});
afterAll(() => directory.remove());

class MemoryOutput {
  readonly batches: string[] = [];
  write(batch: Buffer): void {
    this.batches.push(batch.toString("utf8"));
  }
  drain(): void {}
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("a line is what log collectors of etcd read", () => {
  const line = {
    level: "info",
    timestamp: "2026-01-02T15:04:05.999999Z",
    caller: "storage/wal",
    message: 'say "hi"',
  } as const;

  test("JSON: level, ts, caller, msg, then the fields in their order", () => {
    const fields = {
      z: 1,
      a: ["x"],
      id: 18446744073709551615n,
      gone: undefined,
      error: new AssertionError("bad"),
    };
    expect(formatJsonLine({ ...line, fields })).toBe(
      '{"level":"info","ts":"2026-01-02T15:04:05.999999Z","caller":"storage/wal","msg":"say \\"hi\\"",' +
        '"z":1,"a":["x"],"id":18446744073709551615,"error":"bad"}\n',
    );
    expect(formatJsonLine({ ...line, fields: undefined })).toMatch(/"say \\"hi\\""}\n$/);
  });

  test("console: tabs, and fields as JSON with spaces", () => {
    expect(formatConsoleLine({ ...line, fields: { a: 1, b: "x" } })).toBe(
      '2026-01-02T15:04:05.999999Z\tinfo\tstorage/wal\tsay "hi"\t{"a": 1, "b": "x"}\n',
    );
    expect(formatConsoleLine({ ...line, fields: {} })).toMatch(/say "hi"\n$/);
  });

  test("a field that JSON can not hold never stops the one who logs", () => {
    const loop: Record<string, unknown> = { inner: 5n };
    loop.self = loop;
    const fields = { loop, nan: Number.NaN, fn: () => 1, nested: { id: 7n, error: new Error("deep") } };
    const parsed = JSON.parse(formatJsonLine({ ...line, fields }));
    expect(parsed.nan).toBe("NaN");
    expect(parsed.fn).toBe("function");
    expect(parsed.loop).toContain("not loggable");
    expect(parsed.nested).toEqual({ id: "7", error: "deep" });
  });
});

describe("timestamps", () => {
  test("have microseconds and never run backwards within a process", () => {
    const timestamps = new LogTimestamps();
    expect(timestamps.format(Date.UTC(2006, 0, 2, 15, 4, 5) * 1_000 + 42)).toBe(
      "2006-01-02T15:04:05.000042Z",
    );
    let previous = "";
    for (let count = 0; count < 2_000; count++) {
      const now = timestamps.now();
      expect(now >= previous).toBe(true);
      previous = now;
    }
    expect(Math.abs(Date.parse(previous) - Date.now())).toBeLessThan(1_000);
  });
});

describe("the writer", () => {
  test("gathers the lines of a turn in one write, above its level only", async () => {
    const output = new MemoryOutput();
    const log = new LogWriter({ level: "warn", format: "json" }, [output]);
    log.debug("a", "1");
    log.info("a", "2");
    log.warn("a", "3");
    log.error("a", "4");
    expect(output.batches).toEqual([]);
    await nextTurn();
    expect(output.batches).toHaveLength(1);
    const lines = output.batches[0]!.trimEnd()
      .split("\n")
      .map((text) => JSON.parse(text));
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      ["warn", "3"],
      ["error", "4"],
    ]);
  });

  test("writes a fatal line before it goes on, after what came before it", () => {
    const output = new MemoryOutput();
    const log = new LogWriter({ level: "info", format: "json" }, [output]);
    log.info("a", "before");
    log.fatal("a", "last", { error: new Error("why") });
    expect(
      output.batches
        .join("")
        .split("\n")
        .filter(Boolean)
        .map((text) => JSON.parse(text).msg),
    ).toEqual(["before", "last"]);
  });

  test("drops lines above its bound, and says how many", async () => {
    const output = new MemoryOutput();
    const log = new LogWriter({ level: "info", format: "json" }, [output]);
    const large = "x".repeat(1024 * 1024);
    const count = Math.ceil(limits.logBacklogBytesMax / large.length) + 3;
    for (let at = 0; at < count; at++) log.info("a", large);
    await nextTurn();
    await nextTurn();
    const last = JSON.parse(output.batches.at(-1)!);
    expect(last.msg).toContain("dropped log lines");
    expect(last.lines).toBe(count - output.batches[0]!.split("\n").length + 1);
  });

  test("appends to the files that it is given", () => {
    const path = join(directory.path, "out.log");
    writeFileSync(path, "old\n");
    const log = openLogWriter({ level: "info", format: "console", outputs: [path], rotation: undefined });
    log.info("a", "new");
    log.flush();
    expect(readFileSync(path, "utf8")).toMatch(/^old\n.*\tnew\n$/);
  });
});

describe("a reader that is gone or behind", () => {
  test("a full pipe does not block, and everything arrives in order once it is read", async () => {
    const path = join(directory.path, "pipe");
    execFileSync("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    const output = new StreamOutput(writer);
    const line = `${"x".repeat(99)}\n`;
    // Ten times what a pipe holds.
    for (let at = 0; at < 640; at++) output.write(Buffer.from(`${at} ${line}`.repeat(10)));
    output.drain(performance.now() + 5);
    const chunk = Buffer.alloc(64 * 1024);
    let text = "";
    while (!text.includes("639 ") || !text.endsWith("\n")) {
      try {
        text += chunk.toString("latin1", 0, readSync(reader, chunk));
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("EAGAIN");
      }
      output.drain(performance.now() + 5);
    }
    const numbers = text
      .trimEnd()
      .split("\n")
      .map((each) => Number(each.split(" ")[0]));
    expect(numbers).toEqual(Array.from({ length: 6_400 }, (_, at) => Math.floor(at / 10)));
    closeSync(reader);
    closeSync(writer);
  });

  test("an output that fails does not stop the store", () => {
    const descriptor = openSync("/dev/null", "r");
    const output = new StreamOutput(descriptor);
    output.write(Buffer.from("x\n"));
    output.drain(performance.now() + 1_000);
    closeSync(descriptor);
  });
});

describe("rotation", () => {
  test("sets a large file aside and keeps as many as it is told", () => {
    const path = join(directory.path, "rotated.log");
    const file = new RotatingFile(path, { sizeBytesMax: 10, ageDaysMax: 0, backupsMax: 2 });
    for (const text of ["11111111\n", "22222222\n", "33333333\n", "44444444\n"]) {
      file.write(Buffer.from(text));
      // Names of files set aside carry milliseconds.
      const writtenMs = Date.now();
      while (Date.now() === writtenMs);
    }
    expect(readFileSync(path, "utf8")).toBe("44444444\n");
    const backups = readdirSync(directory.path)
      .filter((name) => name.startsWith("rotated-"))
      .sort();
    expect(backups).toHaveLength(2);
    expect(backups.map((name) => readFileSync(join(directory.path, name), "utf8"))).toEqual([
      "22222222\n",
      "33333333\n",
    ]);
    for (const name of backups) expect(name).toMatch(/^rotated-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log$/);
  });

  test("removes those that are too old, and nothing else", () => {
    const path = join(directory.path, "aged.log");
    writeFileSync(join(directory.path, "aged-2001-01-01T00-00-00.000.log"), "old");
    writeFileSync(join(directory.path, "aged-notes.log"), "a person's");
    const file = new RotatingFile(path, { sizeBytesMax: 1, ageDaysMax: 7, backupsMax: 0 });
    file.write(Buffer.from("1\n"));
    file.write(Buffer.from("2\n"));
    const names = readdirSync(directory.path).filter((name) => name.startsWith("aged-"));
    expect(names).toContain("aged-notes.log");
    expect(names).not.toContain("aged-2001-01-01T00-00-00.000.log");
    expect(names).toHaveLength(2);
  });
});
