/** WatchRequest from the wire, WatchResponse to it. */
import type { Revision } from "../../base/brand.js";
import { emptyBytes, utf8Bytes } from "../../base/bytes.js";
import { ProtoReader, ProtoWriter } from "../../base/protowire.js";
import { type ResponseHeader, writeHeader } from "../encode.js";
import type { EncodedEvents } from "./event-batch.js";
import { type WatchCreate, type WatchId, WatchOption } from "./watch.js";

export type WatchRequest =
  | { readonly kind: "create"; readonly create: WatchCreate }
  | { readonly kind: "cancel"; readonly watchId: WatchId }
  | { readonly kind: "progress" }
  /** Nothing that this version knows; etcd passes over it too. */
  | { readonly kind: "none" };

const bytesType = 2;
const createField = 1;
const cancelField = 2;
const progressField = 3;

/** Errors: ProtoError. Keys share memory with `bytes`. */
export function decodeWatchRequest(bytes: Uint8Array): WatchRequest {
  const reader = new ProtoReader(bytes);
  let request: WatchRequest = { kind: "none" };
  while (reader.more) {
    const tag = reader.tag();
    if (tag === createField * 8 + bytesType)
      request = { kind: "create", create: readCreate(reader.message()) };
    else if (tag === cancelField * 8 + bytesType)
      request = { kind: "cancel", watchId: readCancel(reader.message()) };
    else if (tag === progressField * 8 + bytesType) {
      reader.slice();
      request = { kind: "progress" };
    } else reader.skip(tag);
  }
  return request;
}

function readCreate(reader: ProtoReader): WatchCreate {
  let key = emptyBytes;
  let rangeEnd = emptyBytes;
  let startRevision = 0;
  let watchId: WatchId = 0;
  let options = 0;
  const option = (bit: number): void => {
    options = reader.bool() ? options | bit : options & ~bit;
  };
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 0x0a) key = reader.slice();
    else if (tag === 0x12) rangeEnd = reader.slice();
    else if (tag === 0x18) startRevision = reader.int64();
    else if (tag === 0x20) option(WatchOption.ProgressNotify);
    else if (tag === 0x28) options |= filterOption(reader.int64());
    else if (tag === 0x2a) {
      const packed = reader.message();
      while (packed.more) options |= filterOption(packed.int64());
    } else if (tag === 0x30) option(WatchOption.PrevKv);
    else if (tag === 0x38) watchId = readWatchId(reader);
    else if (tag === 0x40) option(WatchOption.Fragment);
    else reader.skip(tag);
  }
  return { key, rangeEnd, startRevision, watchId, options };
}

/** WatchCreateRequest.FilterType; an unknown one filters nothing, as in etcd. */
function filterOption(filter: number): number {
  if (filter === 0) return WatchOption.NoPut;
  return filter === 1 ? WatchOption.NoDelete : 0;
}

function readCancel(reader: ProtoReader): WatchId {
  let watchId: WatchId = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 0x08) watchId = readWatchId(reader);
    else reader.skip(tag);
  }
  return watchId;
}

function readWatchId(reader: ProtoReader): WatchId {
  const id = reader.int64Big();
  const asNumber = Number(id);
  return Number.isSafeInteger(asNumber) ? asNumber : id;
}

/** A WatchResponse without events; what is left out is false, 0 or empty. */
export interface WatchAnswer {
  readonly watchId: WatchId;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: Revision;
  readonly cancelReason?: string;
}

export function encodeWatchAnswer(header: ResponseHeader, answer: WatchAnswer): readonly Uint8Array[] {
  const writer = new ProtoWriter(96);
  writeHeader(writer, header);
  writeWatchId(writer, answer.watchId);
  writer
    .boolField(3, answer.created ?? false)
    .boolField(4, answer.canceled ?? false)
    .int64Field(5, answer.compactRevision ?? 0)
    .bytesField(6, utf8Bytes(answer.cancelReason ?? ""));
  return [writer.finish()];
}

/** Memory that heads are cut from; small, because one head that waits keeps all of it. */
const headPoolBytes = 4096;
let heads = new ProtoWriter(headPoolBytes);

/** All watches that are told of one batch get the same header, so its bytes are made once. */
const headerMemo = { revision: -1, raftTerm: -1, memberId: 0n, bytes: emptyBytes };

function headerBytes(header: ResponseHeader): Uint8Array {
  const { revision, raftTerm, memberId } = header;
  if (
    headerMemo.revision !== revision ||
    headerMemo.raftTerm !== raftTerm ||
    headerMemo.memberId !== memberId
  ) {
    const writer = new ProtoWriter(watchHeadBytesMax);
    writeHeader(writer, header);
    Object.assign(headerMemo, { revision, raftTerm, memberId, bytes: writer.finish() });
  }
  return headerMemo.bytes;
}

/** Header, watch id and events; `fragment`: more of the same answer follows. The parts of `events` are shared. */
export function encodeWatchEvents(
  header: ResponseHeader,
  watchId: WatchId,
  events: EncodedEvents,
  fragment: boolean,
): readonly Uint8Array[] {
  if (heads.length > headPoolBytes - watchHeadBytesMax) heads = new ProtoWriter(headPoolBytes);
  const from = heads.length;
  heads.raw(headerBytes(header));
  writeWatchId(heads, watchId);
  heads.boolField(7, fragment);
  const head = heads.memory.subarray(from, heads.length);
  const { parts } = events;
  return parts.length === 1 ? [head, parts[0]!] : [head, ...parts];
}

/** What `encodeWatchEvents` puts before the events, at most: header, id, flag. */
export const watchHeadBytesMax = 60;

function writeWatchId(writer: ProtoWriter, watchId: WatchId): void {
  if (typeof watchId === "number") writer.int64Field(2, watchId);
  else writer.bigField(2, watchId);
}
