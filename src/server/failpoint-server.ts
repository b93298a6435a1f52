/**
 * etcd's failpoint protocol over HTTP: GET / lists, GET /name tells, GET /name/count counts, PUT /name sets,
 * PUT /failpoints sets several, DELETE /name clears. Only with GOFAIL_HTTP in the environment, never in production.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { limits } from "../base/limits.js";
import type { Logger } from "../base/logger.js";
import {
  type FailpointEffects,
  FailpointError,
  FailpointSwitchboard,
  splitFailpointList,
} from "./failpoints.js";
import { ConfigError } from "./flags/config-error.js";
import type { Environment } from "./flags/environment.js";

/**
 * Sets what GOFAIL_FAILPOINTS says and serves GOFAIL_HTTP. The result is undefined where no server was asked
 * for. Throws ConfigError for a list or an address that can not be used.
 */
export async function startFailpoints(
  environment: Environment,
  deps: { readonly effects: FailpointEffects; readonly log: Logger },
): Promise<Server | undefined> {
  const switchboard = new FailpointSwitchboard(deps.effects);
  const initial = splitFailpointList(environment.GOFAIL_FAILPOINTS ?? "");
  if (initial === undefined) throw new ConfigError("GOFAIL_FAILPOINTS is not a list of name=term;name=term");
  for (const [name, text] of initial) {
    try {
      switchboard.enable(name, text);
      deps.log.warn("server/failpoints", "failpoint is set", { failpoint: name, term: text });
    } catch (error) {
      if (!(error instanceof FailpointError)) throw error;
      deps.log.warn("server/failpoints", "failpoint is not set", { failpoint: name, term: text, error });
    }
  }
  const address = environment.GOFAIL_HTTP ?? "";
  return address === "" ? undefined : listen(address, failpointHandler(switchboard));
}

async function listen(address: string, handler: RequestHandler): Promise<Server> {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(address);
  if (match === null) throw new ConfigError(`GOFAIL_HTTP is not host:port: ${address}`);
  const server = createServer(handler);
  const host = match[1] ?? match[2]!;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(new ConfigError(`GOFAIL_HTTP ${address}: ${error.message}`)));
    server.listen({ port: Number(match[3]), ...(host === "" ? {} : { host }) }, resolve);
  });
  server.unref();
  return server;
}

type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

export function failpointHandler(switchboard: FailpointSwitchboard): RequestHandler {
  return (request, response) => {
    const key = (request.url ?? "/").slice(1);
    switch (request.method) {
      case "GET":
        return answer(response, ...get(switchboard, key));
      case "DELETE":
        return answer(response, ...remove(switchboard, key));
      case "PUT":
        return readBody(request, response, (body) => answer(response, ...put(switchboard, key, body)));
      default:
        response.setHeader("Allow", "DELETE, GET, PUT");
        return answer(response, 405, "Method not allowed\n");
    }
  };
}

type Answer = readonly [status: number, body: string];

function get(switchboard: FailpointSwitchboard, key: string): Answer {
  if (key === "") return [200, `${switchboard.list().join("\n")}\n`];
  try {
    if (!key.endsWith("/count")) return [200, `${switchboard.status(key).text}\n`];
    return [200, String(switchboard.status(key.slice(0, -"/count".length)).count)];
  } catch (error) {
    if (!(error instanceof FailpointError)) throw error;
    const disabledCount = key.endsWith("/count") && error.failure === "is disabled";
    return [disabledCount ? 500 : 404, `failed to GET: ${error.message}\n`];
  }
}

function put(switchboard: FailpointSwitchboard, key: string, body: string): Answer {
  const terms = key.toLowerCase() === "failpoints" ? splitFailpointList(body) : new Map([[key, body]]);
  if (terms === undefined) return [400, `fail to parse failpoint: bad failpoint ${JSON.stringify(body)}\n`];
  try {
    for (const [name, text] of terms) switchboard.enable(name, text);
    return [204, ""];
  } catch (error) {
    if (!(error instanceof FailpointError)) throw error;
    return [400, `fail to set failpoint: ${error.message}\n`];
  }
}

function remove(switchboard: FailpointSwitchboard, key: string): Answer {
  try {
    switchboard.disable(key);
    return [204, ""];
  } catch (error) {
    if (!(error instanceof FailpointError)) throw error;
    return [400, `failed to delete failpoint ${error.message}\n`];
  }
}

function readBody(request: IncomingMessage, response: ServerResponse, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  request.on("data", (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes > limits.failpointTermBytesMax) {
      answer(response, 413, "term is too long\n");
      request.destroy();
      return;
    }
    chunks.push(chunk);
  });
  request.on("end", () => done(Buffer.concat(chunks).toString("utf8")));
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, body === "" ? {} : { "content-type": "text/plain; charset=utf-8" });
  response.end(body);
}
