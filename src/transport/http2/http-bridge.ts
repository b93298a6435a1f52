/** Carries an HTTP/2 stream that is not gRPC to an HTTP handler and back. */
import type { HttpHandler } from "../server-contract.js";
import type { Connection } from "./connection.js";
import { Http2Request } from "./http-request.js";
import { Http2Response } from "./http-response.js";
import type { RequestHead } from "./request-head.js";
import type { Stream, StreamHandler } from "./stream.js";

export class HttpExchange implements StreamHandler {
  private readonly request: Http2Request;
  private readonly response: Http2Response;

  constructor(head: RequestHead, deps: { readonly connection: Connection; readonly stream: Stream }) {
    const { connection, stream } = deps;
    this.request = new Http2Request(head, {
      socket: connection.socket,
      consumed: (bytes) => {
        if (bytes <= stream.bufferedBytes) connection.receiving.consume(stream, bytes);
      },
    });
    this.response = new Http2Response(
      { bodyless: head.method === "HEAD" },
      { sender: connection.sender, stream },
    );
    // A reset stream destroys both; a handler that does not listen must not bring the process down.
    this.request.on("error", () => {});
    this.response.on("error", () => {});
  }

  start(handler: HttpHandler, endStream: boolean): void {
    if (endStream) this.request.push(null);
    handler(this.request, this.response);
  }

  headers(_fields: unknown, endStream: boolean): void {
    if (endStream) this.request.push(null);
  }

  data(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    this.request.receive(bytes.subarray(start, end), endStream);
  }

  drain(): void {
    this.response.drain();
  }

  closed(): void {
    const aborted = new Error("aborted");
    if (!this.request.readableEnded) this.request.destroy(aborted);
    this.response.destroy(aborted);
  }
}
