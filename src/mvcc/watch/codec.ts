/** WatchRequest from the wire, WatchResponse to it. */
import type { Revision } from "../../base/brand.js";
import { allocateBytes, emptyBytes, utf8Bytes } from "../../base/bytes.js";
import { ProtoReader, ProtoWriter, varintBigSize, varintSize } from "../../base/protowire.js";
import { headerBytes, type ResponseHeader, writeHeader } from "../encode.js";
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

/**
 * An answer with events as it was last made, for watch ids of one size. Most often the next one is the same for
 * another watch: then only its id is put into it.
 */
class EventsAnswer {
  private readonly writer = new ProtoWriter(allocateBytes(copiedEventsBytesMax + watchHeadBytesMax));
  private header: Uint8Array | undefined;
  private events: EncodedEvents | undefined;
  private fragment = false;
  private bytes = emptyBytes;

  /** Good until the next call. */
  with(header: Uint8Array, watchId: WatchId, events: EncodedEvents, fragment: boolean): Uint8Array {
    const { writer } = this;
    if (this.header === header && this.events === events && this.fragment === fragment) {
      writer.reset(header.length);
      writeWatchId(writer, watchId);
      return this.bytes;
    }
    writer.reset();
    writer.raw(header);
    writeWatchId(writer, watchId);
    writer.boolField(7, fragment).raw(events.parts[0]!);
    this.header = header;
    this.events = events;
    this.fragment = fragment;
    if (this.bytes.length !== writer.length) this.bytes = writer.finish();
    return this.bytes;
  }
}

/**
 * Events of so many bytes are copied for each watch. More are shared instead: where a client is slow the answers of
 * hundreds of watches wait, each with memory of its own.
 */
const copiedEventsBytesMax = 512;

/** Memory that heads of shared events are cut from; small, because one head that waits keeps all of it. */
const headPoolBytes = 4096;
let heads = new ProtoWriter(headPoolBytes);

/** By the size of the id. */
const eventsAnswers: EventsAnswer[] = [];

/**
 * Header, watch id and events; `fragment`: more of the same answer follows. A small answer is good until the next
 * call; the parts of a large one share the memory of `events`.
 */
export function encodeWatchEvents(
  header: ResponseHeader,
  watchId: WatchId,
  events: EncodedEvents,
  fragment: boolean,
): Uint8Array | readonly Uint8Array[] {
  if (events.bytes <= copiedEventsBytesMax) {
    const size = watchIdSize(watchId);
    eventsAnswers[size] ??= new EventsAnswer();
    return eventsAnswers[size].with(headerBytes(header), watchId, events, fragment);
  }
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

function watchIdSize(watchId: WatchId): number {
  if (watchId === 0 || watchId === 0n) return 0;
  return typeof watchId === "number" ? varintSize(watchId) : varintBigSize(watchId);
}
