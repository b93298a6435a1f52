/** Answers in the forms that Go's HTTP server gives them, byte for byte, as probes and scripts compare them. */
import type { HttpRequest, HttpResponse } from "../../transport/server-contract.js";

export type { HttpHandler } from "../../transport/server-contract.js";

const plainText = "text/plain; charset=utf-8";

/** A whole answer. */
export function respond(response: HttpResponse, status: number, contentType: string, body: string): void {
  const bytes = Buffer.from(body, "utf8");
  response.statusCode = status;
  response.setHeader("Content-Type", contentType);
  response.setHeader("Content-Length", bytes.length);
  response.end(bytes);
}

/** Plain text that a browser must not take for anything else. */
export function respondText(response: HttpResponse, status: number, body: string): void {
  response.setHeader("X-Content-Type-Options", "nosniff");
  respond(response, status, plainText, body);
}

/** An error: its text and a line end. */
export function respondError(response: HttpResponse, status: number, text: string): void {
  respondText(response, status, `${text}\n`);
}

export function respondNotFound(response: HttpResponse): void {
  respondError(response, 404, "404 page not found");
}

/** True for GET; anything else is answered here. */
export function onlyGet(request: HttpRequest, response: HttpResponse): boolean {
  if (request.method === "GET") return true;
  response.setHeader("Allow", "GET");
  respondError(response, 405, "Method Not Allowed");
  return false;
}

/** Path and query of a request. A target that is no path (`*`, or nonsense) has the path "". */
export function targetOf(request: HttpRequest): {
  readonly path: string;
  readonly query: URLSearchParams;
} {
  const target = request.url ?? "";
  if (!target.startsWith("/")) return { path: "", query: new URLSearchParams() };
  const at = target.indexOf("?");
  if (at < 0) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, at), query: new URLSearchParams(target.slice(at + 1)) };
}
