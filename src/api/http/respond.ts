/** Answers in the forms that Go's HTTP server gives them, byte for byte, as probes and scripts compare them. */
import type { IncomingMessage, ServerResponse } from "node:http";

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

const plainText = "text/plain; charset=utf-8";

/** A whole answer. */
export function respond(response: ServerResponse, status: number, contentType: string, body: string): void {
  const bytes = Buffer.from(body, "utf8");
  response.statusCode = status;
  response.setHeader("Content-Type", contentType);
  response.setHeader("Content-Length", bytes.length);
  response.end(bytes);
}

/** Plain text that a browser must not take for anything else. */
export function respondText(response: ServerResponse, status: number, body: string): void {
  response.setHeader("X-Content-Type-Options", "nosniff");
  respond(response, status, plainText, body);
}

/** An error: its text and a line end. */
export function respondError(response: ServerResponse, status: number, text: string): void {
  respondText(response, status, `${text}\n`);
}

export function respondNotFound(response: ServerResponse): void {
  respondError(response, 404, "404 page not found");
}

/** True for GET; anything else is answered here. */
export function onlyGet(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method === "GET") return true;
  response.setHeader("Allow", "GET");
  respondError(response, 405, "Method Not Allowed");
  return false;
}

/** Path and query of a request. A target that is no path (`*`, or nonsense) has the path "". */
export function targetOf(request: IncomingMessage): {
  readonly path: string;
  readonly query: URLSearchParams;
} {
  const target = request.url ?? "";
  if (!target.startsWith("/")) return { path: "", query: new URLSearchParams() };
  const at = target.indexOf("?");
  if (at < 0) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, at), query: new URLSearchParams(target.slice(at + 1)) };
}
