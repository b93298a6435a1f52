/** The response to an HTTP/2 request that is not gRPC, as an HTTP handler writes it (server-contract.ts). */
import { Writable } from "node:stream";
import { assert } from "../../base/assert.js";
import type { HttpResponse } from "../server-contract.js";
import { encodeHeaders, type HeaderPair } from "./hpack-encoder.js";
import type { Sender } from "./sender.js";
import type { Stream } from "./stream.js";

type HeaderValue = number | string | readonly string[];

/** Fields of HTTP/1.1 connections, which HTTP/2 forbids (RFC 9113, section 8.2.2). */
const connectionFields: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
const noBytes = Buffer.alloc(0);

export class Http2Response extends Writable implements HttpResponse {
  statusCode = 200;
  headersSent = false;
  private readonly fields = new Map<string, HeaderValue>();
  private writeDone: (() => void) | undefined;

  constructor(
    private readonly options: { readonly bodyless: boolean },
    private readonly deps: { readonly sender: Sender; readonly stream: Stream },
  ) {
    super();
  }

  setHeader(name: string, value: HeaderValue): this {
    assert(!this.headersSent, "headers are set before they are sent");
    this.fields.set(name.toLowerCase(), value);
    return this;
  }

  getHeader(name: string): HeaderValue | undefined {
    return this.fields.get(name.toLowerCase());
  }

  removeHeader(name: string): void {
    this.fields.delete(name.toLowerCase());
  }

  writeHead(statusCode: number, headers: Readonly<Record<string, HeaderValue>> = {}): this {
    this.statusCode = statusCode;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    return this;
  }

  /** There is room again. */
  drain(): void {
    const { writeDone } = this;
    this.writeDone = undefined;
    writeDone?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const { sender, stream } = this.deps;
    if (stream.localClosed || this.options.bodyless || chunk.length === 0) {
      done();
      return;
    }
    if (!this.headersSent) sender.head(stream, this.headBlock());
    if (sender.data(stream, noBytes, chunk, chunk.length)) done();
    else this.writeDone = done;
  }

  override _final(done: () => void): void {
    const { sender, stream } = this.deps;
    if (!stream.localClosed) sender.end(stream, this.headersSent ? "data" : this.headBlock());
    done();
  }

  private headBlock(): Buffer {
    this.headersSent = true;
    const pairs: HeaderPair[] = [[":status", String(this.statusCode)]];
    for (const [name, value] of this.fields) {
      if (connectionFields.has(name)) continue;
      const values = typeof value === "object" ? value : [String(value)];
      for (const one of values) pairs.push([name, one]);
    }
    return encodeHeaders(pairs);
  }
}
