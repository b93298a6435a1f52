/**
 * `/health` for load balancers, `/livez` and `/readyz` for Kubernetes, with a path for each single check.
 * `?exclude=` leaves out an alarm or a check, `?serializable=true` asks for this member alone, `?verbose` lists
 * the checks.
 */

import type { Logger } from "../../base/logger.js";
import type { MetricRegistry } from "../../base/metrics.js";
import type { Member } from "../../member/contract.js";
import type { HttpRequest, HttpResponse } from "../../transport/server-contract.js";
import {
  dataCorruption,
  type HealthCheck,
  linearizableRead,
  nonLearner,
  overallHealth,
  serializableRead,
} from "./health-checks.js";
import { onlyGet, respond, respondError, respondText } from "./respond.js";

const caller = "api/health";

type CheckList = readonly (readonly [name: string, check: HealthCheck])[];

const livezChecks: CheckList = [["serializable_read", serializableRead]];
const readyzChecks: CheckList = [
  ["serializable_read", serializableRead],
  ["data_corruption", dataCorruption],
  ["linearizable_read", linearizableRead],
  ["non_learner", nonLearner],
];

export interface HealthDeps {
  readonly member: Member;
  readonly registry: MetricRegistry;
  readonly log: Logger;
}

export type Endpoint = (
  request: HttpRequest,
  response: HttpResponse,
  query: URLSearchParams,
) => Promise<void>;

/** Handlers by path. */
export function healthEndpoints(deps: HealthDeps): ReadonlyMap<string, Endpoint> {
  const endpoints = new Map<string, Endpoint>([["/health", healthEndpoint(deps)]]);
  for (const [type, checks] of [
    ["livez", livezChecks],
    ["readyz", readyzChecks],
  ] as const) {
    endpoints.set(`/${type}`, checksEndpoint(deps, type, checks));
    for (const check of checks) endpoints.set(`/${type}/${check[0]}`, checksEndpoint(deps, type, [check]));
  }
  return endpoints;
}

function healthEndpoint({ member, registry, log }: HealthDeps): Endpoint {
  const passed = registry.counter("etcd_server_health_success");
  const failed = registry.counter("etcd_server_health_failures");
  return async (request, response, query) => {
    if (!onlyGet(request, response)) return;
    const reason = await overallHealth(member, {
      excludedAlarms: excludedOf(query),
      serializable: query.get("serializable") === "true",
    });
    const body = JSON.stringify({ health: reason === undefined ? "true" : "false", reason: reason ?? "" });
    if (reason === undefined) {
      passed.add();
      respond(response, 200, "text/plain; charset=utf-8", body);
      return;
    }
    failed.add();
    log.warn(caller, "/health error", { output: body, "status-code": 503 });
    respondError(response, 503, body);
  };
}

function checksEndpoint(deps: HealthDeps, type: "livez" | "readyz", checks: CheckList): Endpoint {
  return async (request, response, query) => {
    if (!onlyGet(request, response)) return;
    const excluded = excludedOf(query);
    const unknown = [...excluded].filter((name) => !checks.some(([known]) => known === name)).sort();
    if (unknown.length > 0) {
      deps.log.warn(caller, "some health checks cannot be excluded", { "missing-health-checks": unknown });
    }
    const wanted = checks.filter(([name]) => !excluded.has(name));
    const { failed, report } = await runChecks(deps, type, wanted);
    if (failed) {
      deps.log.warn(caller, "Health check error", { path: `/${type}`, reason: report, "status-code": 503 });
      respondError(response, 503, report);
      return;
    }
    respondText(response, 200, query.has("verbose") ? `${report}ok\n` : "ok\n");
  };
}

async function runChecks(
  { member, registry }: HealthDeps,
  type: string,
  checks: CheckList,
): Promise<{ readonly failed: boolean; readonly report: string }> {
  let failed = false;
  let report = "";
  for (const [name, check] of checks) {
    const reason = await check(member);
    report += reason === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${reason}\n`;
    failed ||= reason !== undefined;
    registry.gauge("etcd_server_healthcheck", type, name).set(reason === undefined ? 1 : 0);
    const status = reason === undefined ? "success" : "error";
    registry.counter("etcd_server_healthchecks_total", type, name, status).add();
  }
  return { failed, report };
}

function excludedOf(query: URLSearchParams): ReadonlySet<string> {
  return new Set(query.getAll("exclude").filter((name) => name !== ""));
}
