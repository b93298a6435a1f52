/**
 * Who may call over HTTP: host names against DNS rebinding (CVE-2018-5702), and CORS for browsers.
 */

import type { TLSSocket } from "node:tls";
import type { Logger } from "../../base/logger.js";
import type { HttpRequest, HttpResponse } from "../../transport/server-contract.js";
import { type HttpHandler, respondError } from "./respond.js";

export interface AccessOptions {
  /** "*" among them: any. */
  readonly corsOrigins: readonly string[];
  /** "*" among them, or empty: any. Only plain connections are checked, as a certificate names the host anyway. */
  readonly hostWhitelist: readonly string[];
}

/** `next`, for those who may. */
export function withAccessControl(next: HttpHandler, options: AccessOptions, log: Logger): HttpHandler {
  const origins = new Set(options.corsOrigins);
  const hosts = new Set(options.hostWhitelist);
  const anyHost = hosts.size === 0 || hosts.has("*");
  return (request, response) => {
    const host = hostNameOf(request);
    if (!anyHost && !isEncrypted(request) && !hosts.has(host)) {
      log.warn("api/http", "rejecting HTTP request to prevent DNS rebinding attacks", { host });
      respondError(response, 421, rebindingText(host));
      return;
    }
    setCorsHeaders(response, origins, request.headers.origin);
    if (request.method === "OPTIONS") {
      response.statusCode = 200;
      response.end();
      return;
    }
    next(request, response);
  };
}

function setCorsHeaders(
  response: HttpResponse,
  allowed: ReadonlySet<string>,
  origin: string | undefined,
): void {
  const shown = allowed.has("*") ? "*" : origin;
  if (shown === undefined || !allowed.has(shown)) return;
  response.setHeader("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE");
  response.setHeader("Access-Control-Allow-Origin", shown);
  response.setHeader("Access-Control-Allow-Headers", "accept, content-type, authorization");
}

/** Without port and brackets. HTTP/2 has the host in a pseudo-header. */
function hostNameOf(request: HttpRequest): string {
  const host = request.headers.host ?? (request.headers[":authority"] as string | undefined) ?? "";
  return /^\[([^\]]*)\](?::\d*)?$/.exec(host)?.[1] ?? host.replace(/:\d*$/, "");
}

function isEncrypted(request: HttpRequest): boolean {
  return (request.socket as Partial<TLSSocket>).encrypted === true;
}

function rebindingText(host: string): string {
  return (
    `the Host header ${JSON.stringify(host)} is not one that this member answers to (CVE-2018-5702). ` +
    `Use TLS, or allow the name with --host-whitelist ${JSON.stringify(host)}`
  );
}
