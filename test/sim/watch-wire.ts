/** Requests and answers of the Watch service as a client writes and reads them. */
import { bytesToLatin1, emptyBytes, latin1ToBytes } from "../../src/base/bytes.js";
import { ProtoReader, ProtoWriter } from "../../src/base/protowire.js";

export interface WatchSpec {
  readonly key: string;
  /** As on the wire: "" is one key, "\0" every key from `key` on. */
  readonly rangeEnd: string;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
}

export function encodeCreate(spec: WatchSpec, startRevision: number, watchId: number): Uint8Array {
  const filters = [...(spec.noPut ? [0] : []), ...(spec.noDelete ? [1] : [])];
  return new ProtoWriter(64)
    .messageField(1, (create) => {
      create.bytesField(1, latin1ToBytes(spec.key)).bytesField(2, latin1ToBytes(spec.rangeEnd));
      create.int64Field(3, startRevision).boolField(4, spec.progressNotify);
      create.bytesField(5, Uint8Array.from(filters)).boolField(6, spec.prevKv);
      create.int64Field(7, watchId).boolField(8, spec.fragment);
    })
    .finish();
}

export function encodeCancel(watchId: number): Uint8Array {
  return new ProtoWriter(16).messageField(2, (cancel) => cancel.int64Field(1, watchId)).finish();
}

export function encodeProgressRequest(): Uint8Array {
  return new ProtoWriter(8).messageField(3, () => {}).finish();
}

export interface WatchEvent {
  readonly kind: "put" | "delete";
  /** Bytes of the pairs. */
  readonly pair: Uint8Array;
  readonly previous: Uint8Array | undefined;
}

export interface WatchAnswer {
  revision: number;
  watchId: number;
  created: boolean;
  canceled: boolean;
  compactRevision: number;
  cancelReason: string;
  fragment: boolean;
  readonly events: WatchEvent[];
}

export function decodeAnswer(bytes: Uint8Array): WatchAnswer {
  const reader = new ProtoReader(bytes);
  const answer: WatchAnswer = {
    revision: 0,
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
  };
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 0x0a) answer.revision = readRevision(reader.message());
    else if (tag === 0x10) answer.watchId = reader.int64();
    else if (tag === 0x18) answer.created = reader.bool();
    else if (tag === 0x20) answer.canceled = reader.bool();
    else if (tag === 0x28) answer.compactRevision = reader.int64();
    else if (tag === 0x32) answer.cancelReason = bytesToLatin1(reader.slice());
    else if (tag === 0x38) answer.fragment = reader.bool();
    else if (tag === 0x5a) answer.events.push(readEvent(reader.message()));
    else reader.skip(tag);
  }
  return answer;
}

function readRevision(reader: ProtoReader): number {
  let revision = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 0x18) revision = reader.int64();
    else reader.skip(tag);
  }
  return revision;
}

function readEvent(reader: ProtoReader): WatchEvent {
  let kind: WatchEvent["kind"] = "put";
  let pair = emptyBytes;
  let previous: Uint8Array | undefined;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 0x08) kind = reader.int64() === 1 ? "delete" : "put";
    else if (tag === 0x12) pair = reader.slice();
    else if (tag === 0x1a) previous = reader.slice();
    else reader.skip(tag);
  }
  return { kind, pair, previous };
}
