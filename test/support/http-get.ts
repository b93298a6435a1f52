import { get } from "node:http";

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: string;
}

/** One plain HTTP/1.1 GET on a connection of its own. */
export function httpGet(url: string, timeoutMs: number): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: timeoutMs }, (response) => {
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
