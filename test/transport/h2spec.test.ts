/** h2spec (github.com/summerwind/h2spec): 145 cases of RFC 9113 and RFC 7541, against a running server. */
import { beforeAll, describe, expect, test } from "vitest";
import { makeCertificates } from "../support/certificates.js";
import { runToEnd } from "../support/child-process.js";
import { leaveOut } from "../support/leave-out.js";
import { findProgram } from "../support/server-binary.js";
import { goTool } from "../tools/go-tools.js";
import { startServer, staticTls } from "./support.js";

const runs = [
  { title: "all cases", flags: [], summary: "145 tests, 145 passed, 0 skipped, 0 failed" },
  { title: "strict mode", flags: ["-S"], summary: "146 tests, 146 passed, 0 skipped, 0 failed" },
] as const;
const doors = [
  { name: "plain", withTls: false },
  { name: "over TLS", withTls: true },
] as const;

/** A case that waits in vain for the server gives up after this, and fails. */
const answerTimeoutSeconds = "5";
const buildTimeoutMs = 600_000;
const runTimeoutMs = 60_000;

describe("h2spec", () => {
  const titles = doors.flatMap((door) => runs.map((run) => `${run.title}, ${door.name}`));
  if (findProgram("go") === undefined) {
    leaveOut(titles, "go is not in PATH");
    return;
  }
  let program = "";
  beforeAll(async () => {
    program = await goTool("h2spec");
  }, buildTimeoutMs);
  for (const { name, withTls } of doors) {
    for (const { title, flags, summary } of runs) {
      test(
        `${title}, ${name}`,
        async () => {
          const tls = withTls
            ? { ...makeCertificates().server, requestCert: false, rejectUnauthorized: false, ...staticTls }
            : undefined;
          const server = await startServer({ concurrentStreamsMax: 100, tls });
          const address = ["-h", "127.0.0.1", "-p", String(server.port), ...(withTls ? ["-t", "-k"] : [])];
          const finished = await runToEnd(program, [...address, "-o", answerTimeoutSeconds, ...flags], {
            env: {},
            cwd: undefined,
            input: undefined,
            timeoutMs: runTimeoutMs,
          });
          expect(finished.stdout).toContain(summary);
          await server.close();
        },
        2 * runTimeoutMs,
      );
    }
  }
});
