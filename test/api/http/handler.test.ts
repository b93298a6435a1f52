import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHttpHandler, createMetricsHandler, type HttpOptions } from "../../../src/api/http/handler.js";
import { respond } from "../../../src/api/http/respond.js";
import { DamageError } from "../../../src/base/errors.js";
import { silentLogger } from "../../../src/base/logger.js";
import { MetricRegistry } from "../../../src/base/metrics.js";
import { fakeMember, healthyState, type MemberState, timeout } from "./fake-member.js";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let state: MemberState;
let registry: MetricRegistry;
let server: Server;

const options: HttpOptions = {
  log: silentLogger,
  corsOrigins: ["*"],
  hostWhitelist: ["*"],
  gateway: (incoming, response) => respond(response, 200, "application/json", `gateway ${incoming.url}`),
};

async function serve(handler: Parameters<typeof createServer>[1]): Promise<void> {
  server = createServer(handler!);
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
}

beforeEach(() => {
  state = healthyState();
  registry = new MetricRegistry();
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

function call(path: string, method = "GET", headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
      response.setEncoding("utf8");
      let body = "";
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

const start = (changes: Partial<HttpOptions> = {}): Promise<void> =>
  serve(createHttpHandler(fakeMember(state), registry, { ...options, ...changes }));

describe("/version", () => {
  test("is what etcd 3.7.1 says", async () => {
    await start();
    const { status, headers, body } = await call("/version");
    expect([status, headers["content-type"], body]).toEqual([
      200,
      "application/json",
      '{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"}',
    ]);
  });

  test("says that the cluster has not decided yet", async () => {
    state.status = { ...state.status, clusterVersion: undefined };
    await start();
    expect((await call("/version")).body).toContain('"etcdcluster":"not_decided"');
  });
});

describe("/health, as a load balancer sees it", () => {
  test("healthy", async () => {
    await start();
    const { status, body } = await call("/health");
    expect([status, body]).toEqual([200, '{"health":"true","reason":""}']);
    expect(registry.counter("etcd_server_health_success").value).toBe(1);
  });

  const faults: readonly (readonly [name: string, change: Partial<MemberState>, reason: string])[] = [
    ["a full store", { alarms: [{ memberId: 1n, alarm: "NOSPACE" }] }, "ALARM NOSPACE"],
    ["damage", { alarms: [{ memberId: 1n, alarm: "CORRUPT" }] }, "ALARM CORRUPT"],
    ["no leader", { status: { ...healthyState().status, leader: 0n } }, "RAFT NO LEADER"],
    ["no quorum", { linearizeFailure: timeout }, "RANGE ERROR:etcdserver: request timed out"],
    ["a broken block", { rangeFailure: new DamageError("block 7") }, "RANGE ERROR:block 7"],
  ];
  test.each(faults)("%s is 503 with the reason", async (_name, change, reason) => {
    Object.assign(state, change);
    await start();
    const { status, headers, body } = await call("/health");
    expect([status, body]).toEqual([503, `{"health":"false","reason":"${reason}"}\n`]);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(registry.counter("etcd_server_health_failures").value).toBe(1);
  });

  test("?serializable=true asks for this member alone", async () => {
    state.status = { ...state.status, leader: 0n };
    state.linearizeFailure = timeout;
    await start();
    expect((await call("/health?serializable=true")).status).toBe(200);
    expect((await call("/health?serializable=false")).status).toBe(503);
  });

  test("?exclude=NOSPACE keeps a member that can be read in service", async () => {
    state.alarms = [{ memberId: 1n, alarm: "NOSPACE" }];
    await start();
    expect((await call("/health?exclude=NOSPACE")).status).toBe(200);
    state.alarms = [...state.alarms, { memberId: 1n, alarm: "CORRUPT" }];
    expect((await call("/health?exclude=NOSPACE&exclude=")).body).toContain("ALARM CORRUPT");
  });
});

describe("/livez and /readyz, as Kubernetes sees them", () => {
  test("ok, with the checks when asked", async () => {
    await start();
    expect(await call("/livez")).toMatchObject({ status: 200, body: "ok\n" });
    expect((await call("/livez?verbose")).body).toBe("[+]serializable_read ok\nok\n");
    expect((await call("/readyz?verbose")).body).toBe(
      "[+]serializable_read ok\n[+]data_corruption ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n",
    );
  });

  test("a member without quorum is alive but not ready", async () => {
    state.linearizeFailure = timeout;
    await start();
    expect((await call("/livez")).status).toBe(200);
    const { status, body } = await call("/readyz");
    expect(status).toBe(503);
    expect(body).toBe(
      "[+]serializable_read ok\n[+]data_corruption ok\n" +
        "[-]linearizable_read failed: etcdserver: request timed out\n[+]non_learner ok\n\n",
    );
    expect((await call("/readyz?exclude=linearizable_read&exclude=unknown")).status).toBe(200);
    expect(registry.gauge("etcd_server_healthcheck", "readyz", "linearizable_read").value).toBe(0);
    expect(
      registry.counter("etcd_server_healthchecks_total", "readyz", "linearizable_read", "error").value,
    ).toBe(1);
  });

  test("each check has a path of its own", async () => {
    state.alarms = [{ memberId: 1n, alarm: "CORRUPT" }];
    state.status = { ...state.status, isLearner: true };
    await start();
    expect((await call("/readyz/linearizable_read?verbose")).body).toBe("[+]linearizable_read ok\nok\n");
    expect((await call("/readyz/data_corruption")).body).toBe(
      "[-]data_corruption failed: alarm activated: CORRUPT\n\n",
    );
    expect((await call("/readyz/non_learner")).body).toBe(
      "[-]non_learner failed: not supported for learner\n\n",
    );
    expect((await call("/livez/linearizable_read")).status).toBe(404);
  });
});

describe("methods and paths", () => {
  test.each([["/version"], ["/health"], ["/livez"], ["/readyz/non_learner"]])(
    "%s takes GET only",
    async (path) => {
      await start();
      for (const method of ["POST", "PUT", "DELETE"]) {
        const { status, headers, body } = await call(path, method);
        expect([status, headers.allow, body]).toEqual([405, "GET", "Method Not Allowed\n"]);
      }
    },
  );

  test.each([["/"], ["/foo"], ["/readyz/"], ["/livez/foo"], ["/v2/keys"], ["*"]])(
    "%s is 404",
    async (path) => {
      await start();
      const { status, body } = await call(path);
      expect([status, body]).toEqual([404, "404 page not found\n"]);
    },
  );

  test("the gateway gets its paths, under the old name too, or nobody does", async () => {
    await start();
    expect((await call("/v3/kv/put", "POST")).body).toBe("gateway /v3/kv/put");
    expect((await call("/v3beta/kv/put", "POST")).body).toBe("gateway /v3/kv/put");
    await new Promise((resolve) => server.close(resolve));
    await start({ gateway: undefined });
    expect((await call("/v3/kv/put", "POST")).status).toBe(404);
  });

  test("the metrics port has no version and no gateway", async () => {
    await serve(createMetricsHandler(fakeMember(state), registry, { log: silentLogger }));
    expect((await call("/metrics")).status).toBe(200);
    expect((await call("/health")).status).toBe(200);
    expect((await call("/version")).status).toBe(404);
    expect((await call("/v3/kv/put", "POST")).status).toBe(404);
  });
});

describe("callers from browsers", () => {
  test("any origin by default, and preflight requests are answered", async () => {
    await start();
    const { status, headers } = await call("/v3/kv/put", "OPTIONS", { origin: "http://a.example" });
    expect(status).toBe(200);
    expect(headers["access-control-allow-origin"]).toBe("*");
    expect(headers["access-control-allow-methods"]).toBe("POST, GET, OPTIONS, PUT, DELETE");
    expect(headers["access-control-allow-headers"]).toBe("accept, content-type, authorization");
  });

  test("only the origins that --cors names", async () => {
    await start({ corsOrigins: ["http://a.example:80"] });
    const allowed = await call("/version", "GET", { origin: "http://a.example:80" });
    expect(allowed.headers["access-control-allow-origin"]).toBe("http://a.example:80");
    const other = await call("/version", "GET", { origin: "http://b.example:80" });
    expect(other.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("a host name that is not ours is refused: DNS rebinding (CVE-2018-5702)", async () => {
    await start({ hostWhitelist: ["store.example", "::1"] });
    expect((await call("/v3/kv/put", "POST", { host: "evil.example" })).status).toBe(421);
    expect((await call("/version", "GET", { host: "evil.example:2379" })).status).toBe(421);
    expect((await call("/version", "GET", { host: "store.example:2379" })).status).toBe(200);
    expect((await call("/version", "GET", { host: "[::1]:2379" })).status).toBe(200);
  });
});

describe("/metrics", () => {
  test("shows the member as it is at that moment", async () => {
    await start();
    const { headers, body } = await call("/metrics");
    expect(headers["content-type"]).toContain("text/plain; version=0.0.4");
    for (const line of [
      "etcd_server_has_leader 1",
      "etcd_server_is_leader 1",
      "etcd_server_proposals_applied_total 10",
      "etcd_debugging_mvcc_current_revision 7",
      'etcd_server_id{server_id="a1"} 1',
      'etcd_server_version{server_version="3.7.1"} 1',
      'etcd_cluster_version{cluster_version="3.7"} 1',
      'etcd_network_known_peers{Local="a1",Remote="b2"} 1',
    ]) {
      expect(body.split("\n")).toContain(line);
    }
    expect(body).toMatch(/^process_resident_memory_bytes [1-9]\d+$/m);
    expect(body).toMatch(/^os_fd_limit [1-9]/m);

    state.status = { ...state.status, leader: 0n };
    state.members = state.members.slice(0, 1);
    const later = (await call("/metrics")).body;
    expect(later).toContain("\netcd_server_has_leader 0\n");
    expect(later).not.toContain('Remote="b2"');
  });
});
