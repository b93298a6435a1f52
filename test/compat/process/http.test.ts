/** What the client port says over plain HTTP: probes, load balancers and scripts read these to the letter. */
import { describe, expect } from "vitest";
import { startCluster } from "../../support/cluster.js";
import { type HttpAnswer, httpGet } from "../../support/http-get.js";
import { isAtLeast, type ServerBinary } from "../../support/server-binary.js";
import { describeBinaries, type ProcessCase } from "./binaries.js";

const requestTimeoutMs = 5_000;
const pollMs = 20;

/** Runs `use` with a way to GET from a healthy single member. */
async function withMember(
  binary: ServerBinary,
  use: (get: (path: string) => Promise<HttpAnswer>) => Promise<void>,
): Promise<void> {
  const cluster = await startCluster(binary, 1, { extraArgs: [], withTls: false });
  try {
    await use((path) => httpGet(cluster.members[0]!.url(path), requestTimeoutMs));
  } finally {
    await cluster.destroy();
  }
}

/** The leader proposes the cluster's version soon after it was elected; until that is applied the answer says so. */
async function decidedVersion(get: (path: string) => Promise<HttpAnswer>): Promise<HttpAnswer> {
  for (;;) {
    const answer = await get("/version");
    if (!answer.body.includes('"not_decided"')) return answer;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** The order of the checks is not promised: etcd's changes from start to start. */
function sortedLines(text: string): string {
  return text.split("\n").sort().join("\n").trim();
}

const healthCases: readonly ProcessCase[] = [
  {
    title: "/version and /health",
    run: (binary) =>
      withMember(binary, async (get) => {
        const version = await decidedVersion(get);
        const minor = `${binary.version.split(".").slice(0, 2).join(".")}.0`;
        const storage = isAtLeast(binary.version, 3, 6) ? `,"storage":"${minor}"` : "";
        expect(version.body).toBe(`{"etcdserver":"${binary.version}","etcdcluster":"${minor}"${storage}}`);
        expect([version.status, version.contentType]).toEqual([200, "application/json"]);
        const reason = isAtLeast(binary.version, 3, 5) ? ',"reason":""' : "";
        for (const path of ["/health", "/health?serializable=true", "/health?exclude=NOSPACE"]) {
          const health = await get(path);
          expect(health).toEqual({
            status: 200,
            contentType: "text/plain; charset=utf-8",
            body: `{"health":"true"${reason}}`,
          });
        }
        expect(await get("/no/such/path")).toMatchObject({ status: 404, body: "404 page not found\n" });
      }),
  },
  {
    title: "/livez and /readyz",
    since: [3, 6],
    run: (binary) =>
      withMember(binary, async (get) => {
        for (const path of ["/livez", "/readyz", "/livez/serializable_read", "/readyz/linearizable_read"]) {
          expect(await get(path), path).toEqual({
            status: 200,
            contentType: "text/plain; charset=utf-8",
            body: "ok\n",
          });
        }
        expect((await get("/livez?verbose")).body).toBe("[+]serializable_read ok\nok\n");
        const ready = (await get("/readyz?verbose")).body;
        expect(sortedLines(ready)).toBe(
          "[+]data_corruption ok\n[+]linearizable_read ok\n[+]non_learner ok\n[+]serializable_read ok\nok",
        );
        expect(ready.endsWith("\nok\n")).toBe(true);
        expect(sortedLines((await get("/readyz?verbose&exclude=linearizable_read")).body)).toBe(
          "[+]data_corruption ok\n[+]non_learner ok\n[+]serializable_read ok\nok",
        );
      }),
  },
  {
    title: "/metrics is Prometheus text with etcd's names",
    run: (binary) =>
      withMember(binary, async (get) => {
        const answer = await get("/metrics");
        expect(answer.status).toBe(200);
        expect(answer.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
        expect(answer.body).toMatch(/^etcd_server_has_leader 1$/m);
        expect(answer.body).toMatch(/^etcd_server_is_leader 1$/m);
        expect(answer.body).toMatch(/^# TYPE etcd_disk_wal_fsync_duration_seconds histogram$/m);
      }),
  },
];

describe("HTTP on the client port", () => describeBinaries(healthCases));
