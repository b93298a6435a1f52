/** An HTTP/2 request that is not gRPC, as an HTTP handler sees it (server-contract.ts). */
import type { IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import type { HttpRequest } from "../server-contract.js";
import type { HeaderField } from "./hpack-table.js";
import type { RequestHead } from "./request-head.js";

export interface Http2RequestDeps {
  readonly socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined };
  /** The handler has read `bytes` of the body. */
  readonly consumed: (bytes: number) => void;
}

export class Http2Request extends Readable implements HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly httpVersion = "2.0";
  private heldBytes = 0;

  constructor(
    head: RequestHead,
    private readonly deps: Http2RequestDeps,
  ) {
    super();
    this.method = head.method;
    this.url = head.path;
    this.headers = joinHeaders(head);
  }

  get socket(): Http2RequestDeps["socket"] {
    return this.deps.socket;
  }

  /** A piece of the body; the client may send more only as the handler reads. */
  receive(bytes: Buffer, endStream: boolean): void {
    if (this.destroyed) {
      this.deps.consumed(bytes.length);
      return;
    }
    if (bytes.length > 0) {
      if (this.push(bytes)) this.deps.consumed(bytes.length);
      else this.heldBytes += bytes.length;
    }
    if (endStream) this.push(null);
  }

  override _read(): void {
    const bytes = this.heldBytes;
    this.heldBytes = 0;
    if (bytes > 0) this.deps.consumed(bytes);
  }
}

/** Fields of the same name are one list (RFC 9110, section 5.2); cookies are joined as RFC 9113, section 8.2.3 says. */
function joinHeaders(head: RequestHead): IncomingHttpHeaders {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  const add = ({ name, value }: HeaderField): void => {
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`;
  };
  if (head.authority !== "") add({ name: "host", value: head.authority, malformed: false });
  for (const field of head.fields) if (field.name !== "host" || head.authority === "") add(field);
  return headers;
}
