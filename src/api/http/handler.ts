/** The HTTP side of a member's client port, and of its metrics port. */

import type { Logger } from "../../base/logger.js";
import type { MetricRegistry } from "../../base/metrics.js";
import { etcdVersion, storageVersion } from "../../base/version.js";
import type { Member } from "../../member/contract.js";
import type { HttpRequest, HttpResponse } from "../../transport/server-contract.js";
import { type AccessOptions, withAccessControl } from "./access-control.js";
import { type Endpoint, healthEndpoints } from "./health.js";
import { refreshMemberMetrics } from "./member-metrics.js";
import { refreshProcessMetrics } from "./process-metrics.js";
import { type HttpHandler, onlyGet, respond, respondError, respondNotFound, targetOf } from "./respond.js";

export interface HttpOptions extends AccessOptions {
  readonly log: Logger;
  /** Serves /v3/…, the JSON form of the API; undefined where that is switched off. */
  readonly gateway: HttpHandler | undefined;
}

/** For the client port: /version, /health, /livez, /readyz, /metrics, and /v3/ by the gateway. */
export function createHttpHandler(
  member: Member,
  registry: MetricRegistry,
  options: HttpOptions,
): HttpHandler {
  const { log, gateway } = options;
  const endpoints = new Map<string, Endpoint>([
    ...monitoringEndpoints(member, registry, log),
    ["/version", async (request, response) => versionEndpoint(member, request, response)],
  ]);
  const serve = router(endpoints, log);
  const handler: HttpHandler = (request, response) => {
    const { url = "" } = request;
    // An old name of the same paths, which old clients use.
    if (url.startsWith("/v3beta/")) request.url = `/v3/${url.slice("/v3beta/".length)}`;
    if (gateway !== undefined && (request.url ?? "").startsWith("/v3/")) gateway(request, response);
    else serve(request, response);
  };
  return withAccessControl(handler, options, log);
}

/** For `--listen-metrics-urls`: /metrics and the health endpoints. */
export function createMetricsHandler(
  member: Member,
  registry: MetricRegistry,
  options: { readonly log: Logger },
): HttpHandler {
  return router(monitoringEndpoints(member, registry, options.log), options.log);
}

function monitoringEndpoints(
  member: Member,
  registry: MetricRegistry,
  log: Logger,
): ReadonlyMap<string, Endpoint> {
  return new Map([
    ...healthEndpoints({ member, registry, log }),
    ["/metrics", async (_request, response) => metricsEndpoint(member, registry, response)],
  ]);
}

function router(endpoints: ReadonlyMap<string, Endpoint>, log: Logger): HttpHandler {
  return (request, response) => {
    const { path, query } = targetOf(request);
    const endpoint = endpoints.get(path);
    if (endpoint === undefined) {
      respondNotFound(response);
      return;
    }
    endpoint(request, response, query).catch((error: unknown) => {
      log.error("api/http", "request failed", { path, error });
      if (!response.headersSent) respondError(response, 500, "Internal Server Error");
    });
  };
}

function versionEndpoint(member: Member, request: HttpRequest, response: HttpResponse): void {
  if (!onlyGet(request, response)) return;
  const { clusterVersion } = member.status();
  const body = {
    etcdserver: etcdVersion,
    etcdcluster: clusterVersion ?? "not_decided",
    storage: clusterVersion === undefined ? "unknown" : storageVersion,
  };
  respond(response, 200, "application/json", JSON.stringify(body));
}

function metricsEndpoint(member: Member, registry: MetricRegistry, response: HttpResponse): void {
  refreshMemberMetrics(registry, member);
  refreshProcessMetrics(registry);
  respond(response, 200, "text/plain; version=0.0.4; charset=utf-8", registry.text());
}
