import { readFileSync } from "node:fs";
import { get } from "node:http";
import { get as getOverTls } from "node:https";
import type { TlsFiles } from "./certificates.js";

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: string;
}

/** One HTTP/1.1 GET on a connection of its own; as the client of `tls` where the URL says https. */
export function httpGet(url: string, timeoutMs: number, tls?: TlsFiles): Promise<HttpAnswer> {
  const options = { agent: false, timeout: timeoutMs, ...(tls === undefined ? {} : readClient(tls)) };
  return new Promise((resolve, reject) => {
    const request = (tls === undefined ? get : getOverTls)(url, options, (response) => {
      response.setEncoding("utf8");
      let body = "";
      response.on("data", (text: string) => {
        body += text;
      });
      response.once("error", reject);
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, contentType: response.headers["content-type"], body });
      });
    });
    request.once("timeout", () => request.destroy(new Error(`no answer from ${url} in ${timeoutMs} ms`)));
    request.once("error", reject);
  });
}

function readClient(tls: TlsFiles): { ca: Buffer; cert: Buffer; key: Buffer } {
  return { ca: readFileSync(tls.ca), cert: readFileSync(tls.client.cert), key: readFileSync(tls.client.key) };
}
