/** How a status, a deadline and a message's text look in header fields (gRPC over HTTP/2). */
import type { RpcStatus } from "../rpc.js";
import { encodeHeaders, type HeaderPair } from "./hpack-encoder.js";

/** Trailers of a call that ended with `status`, after a head was sent. */
export function statusTrailers(status: RpcStatus): Buffer {
  return encodeHeaders(statusPairs(status));
}

/** Head and trailers in one block ("Trailers-Only"), for a call that ends before any message. */
export function trailersOnly(status: RpcStatus, httpStatus = 200): Buffer {
  return encodeHeaders([
    [":status", String(httpStatus)],
    ["content-type", "application/grpc"],
    ...statusPairs(status),
  ]);
}

function statusPairs(status: RpcStatus): HeaderPair[] {
  const pairs: HeaderPair[] = [["grpc-status", String(status.code)]];
  if (status.message !== "") pairs.push(["grpc-message", percentEncode(status.message)]);
  if (status.details !== undefined) {
    const base64 = Buffer.from(status.details).toString("base64").replace(/=+$/, "");
    pairs.push(["grpc-status-details-bin", base64]);
  }
  return pairs;
}

/** "Percent-Encoded": bytes outside space–tilde, and %, as %XX of their UTF-8. */
export function percentEncode(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text;
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** The text behind `percentEncode`; invalid escapes are kept as they are, as the specification asks. */
export function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const hex = text.slice(at + 1, at + 3);
    if (text[at] === "%" && /^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else bytes.push(text.charCodeAt(at) & 0xff);
  }
  return Buffer.from(bytes).toString("utf8");
}

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of a `grpc-timeout` value: up to eight digits and a unit. undefined when it is malformed. */
export function parseTimeoutMs(text: string): number | undefined {
  if (!/^\d{1,8}[HMSmun]$/.test(text)) return undefined;
  return Number(text.slice(0, -1)) * unitMs[text[text.length - 1]!]!;
}

/** The reverse, in the finest unit that needs no more than eight digits. */
export function formatTimeout(timeoutMs: number): string {
  const ms = Math.max(0, Math.ceil(timeoutMs));
  if (ms < 1e8) return `${ms}m`;
  return `${Math.min(Math.ceil(ms / 1000), 99_999_999)}S`;
}
