/** Pairs and events of the wire as the checker of watches takes them. */
import { createHash } from "node:crypto";
import type { KeyValue } from "../src/client/index.js";
import type { RecordedEvent, RecordedPair } from "./watch-checker.js";

/** Longer values are kept as a digest: a run records millions of events. */
const valueBytesMax = 64;

export function recordedPair(pair: KeyValue): RecordedPair {
  return {
    key: Buffer.from(pair.key).toString("latin1"),
    value: recordedValue(pair.value),
    createRevision: Number(pair.createRevision),
    modRevision: Number(pair.modRevision),
    version: Number(pair.version),
  };
}

export function recordedValue(value: Uint8Array): string {
  if (value.length <= valueBytesMax) return Buffer.from(value).toString("latin1");
  return `${value.length} bytes, ${createHash("sha1").update(value).digest("hex")}`;
}

export function recordedEvent(
  kind: RecordedEvent["kind"],
  pair: KeyValue,
  previous: KeyValue | undefined,
): RecordedEvent {
  return {
    kind,
    pair: recordedPair(pair),
    previous: previous === undefined ? undefined : recordedPair(previous),
  };
}
