/** The head of a request, checked by the rules of RFC 9113, sections 8.2 and 8.3. */
import type { HeaderField } from "./hpack-table.js";

export interface RequestHead {
  readonly method: string;
  readonly scheme: string;
  /** Path and query. */
  readonly path: string;
  /** Empty where the client gave none. */
  readonly authority: string;
  /** Empty where there is none. */
  readonly contentType: string;
  /** Bytes of body promised; undefined without the header. */
  readonly contentLength: number | undefined;
  /** All fields but the pseudo ones, in order. */
  readonly fields: readonly HeaderField[];
}

/** Section 8.2.2: fields that mean something to HTTP/1.1 connections only. */
const connectionFields: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

/** The head, or what is wrong with it (the stream is then reset with PROTOCOL_ERROR, section 8.1.1). */
export function parseRequestHead(fields: readonly HeaderField[]): RequestHead | string {
  const pseudo = new Map<string, string>();
  const regular: HeaderField[] = [];
  let contentType = "";
  let contentLength: number | undefined;
  for (const field of fields) {
    const { name, value } = field;
    if (field.malformed) return `malformed field ${JSON.stringify(name)}`;
    if (name.charCodeAt(0) === 0x3a) {
      if (regular.length > 0) return "a pseudo-header field after regular ones";
      if (pseudo.has(name)) return `${name} twice`;
      pseudo.set(name, value);
      continue;
    }
    regular.push(field);
    if (connectionFields.has(name)) return `connection-specific field ${name}`;
    if (name === "te" && value !== "trailers") return "te other than trailers";
    if (name === "content-type" && contentType === "") contentType = value;
    if (name === "content-length") {
      const length = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
      if (length === undefined || (contentLength !== undefined && contentLength !== length))
        return "bad content-length";
      contentLength = length;
    }
  }
  const method = pseudo.get(":method");
  const scheme = pseudo.get(":scheme");
  const path = pseudo.get(":path");
  if (!method || !scheme || !path) return "no :method, :scheme or :path";
  const authority = pseudo.get(":authority");
  const known = authority === undefined ? 3 : 4;
  if (pseudo.size !== known) return "an unknown pseudo-header field";
  return { method, scheme, path, authority: authority ?? "", contentType, contentLength, fields: regular };
}

/** What is wrong with trailers (section 8.1), or undefined. */
export function trailersFault(fields: readonly HeaderField[]): string | undefined {
  for (const field of fields) {
    if (field.malformed) return `malformed trailer ${JSON.stringify(field.name)}`;
    if (field.name.charCodeAt(0) === 0x3a) return "a pseudo-header field in trailers";
    if (connectionFields.has(field.name)) return `connection-specific trailer ${field.name}`;
  }
  return undefined;
}
