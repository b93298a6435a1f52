/** Messages between members, as protobuf. Those that a member sends only to itself have no encoding here. */

import { assert, unreachable } from "../base/assert.js";
import { emptyBytes, equalBytes, latin1ToBytes } from "../base/bytes.js";
import { ProtoError, ProtoReader, ProtoWriter, varintSize } from "../base/protowire.js";
import { entrySizeBytes, readCount, readEntry, readSnapshot, writeEntry, writeSnapshot } from "./codec.js";
import type { Message, MessageType, Proposal } from "./message.js";
import { isLocalType, messageTypes } from "./message.js";
import type { Entry, Snapshot } from "./types.js";
import { EntryType } from "./types.js";

const typeNumbers = new Map<MessageType, number>(messageTypes.map((type, number) => [type, number]));
const entriesTag = 7 * 8 + 2;
/** The context of a vote request that a leadership transfer caused. */
const transferContext = latin1ToBytes("CampaignTransfer");

/** Fresh memory with the message; nothing of it is referenced later. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new ProtoWriter(sizeHintBytes(message));
  writeHead(writer, message);
  writeBody(writer, message);
  return writer.finish();
}

/** An encoded message: what its parts are in a row. They must not be changed. */
export type MessageParts = readonly Uint8Array[];

/** Encodes the messages of one turn. The entries that a leader sends to all followers are encoded once for all. */
export class MessageEncoder {
  private readonly encoded: { readonly entries: readonly Entry[]; readonly bytes: Uint8Array }[] = [];

  encode(message: Message): MessageParts {
    if (message.type !== "MsgApp" || message.entries.length === 0) return [encodeMessage(message)];
    const head = new ProtoWriter(64);
    writeHead(head, message);
    head.int64Field(5, message.logTerm).int64Field(6, message.index);
    const entries = this.encodeEntries(message.entries);
    return [head.finish(), entries, new ProtoWriter(16).int64Field(8, message.commit).finish()];
  }

  private encodeEntries(entries: readonly Entry[]): Uint8Array {
    for (const earlier of this.encoded) if (sameRun(earlier.entries, entries)) return earlier.bytes;
    const writer = new ProtoWriter(entriesHintBytes(entries));
    writeEntries(writer, entries);
    const bytes = writer.finish();
    this.encoded.push({ entries, bytes });
    return bytes;
  }
}

/** Entries are consecutive, so what lies between the same two of one log is the same. */
function sameRun(a: readonly Entry[], b: readonly Entry[]): boolean {
  return a.length === b.length && a[0] === b[0] && a.at(-1) === b.at(-1);
}

function writeHead(writer: ProtoWriter, message: Message): void {
  writer.varint(8).varint(typeNumbers.get(message.type)!);
  writer.bigField(2, message.to).bigField(3, message.from).int64Field(4, message.term);
}

function writeEntries(writer: ProtoWriter, entries: readonly Entry[]): void {
  for (const entry of entries) {
    writer.varint(entriesTag).varint(entrySizeBytes(entry));
    writeEntry(writer, entry);
  }
}

function entriesHintBytes(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += 8 + entrySizeBytes(entry);
  return size;
}

function sizeHintBytes(message: Message): number {
  switch (message.type) {
    case "MsgApp":
      return 96 + entriesHintBytes(message.entries);
    case "MsgProp": {
      let size = 64;
      for (const entry of message.entries) size += 32 + entry.data.length;
      return size;
    }
    case "MsgSnap":
      return 256 + message.snapshot.data.length;
    default:
      return 96;
  }
}

function writeBody(writer: ProtoWriter, message: Message): void {
  switch (message.type) {
    case "MsgTransferLeader":
    case "MsgTimeoutNow":
      return;
    case "MsgProp":
      for (const entry of message.entries) writeProposal(writer, entry);
      return;
    case "MsgApp":
      writer.int64Field(5, message.logTerm).int64Field(6, message.index);
      writeEntries(writer, message.entries);
      writer.int64Field(8, message.commit);
      return;
    case "MsgAppResp":
      writer.int64Field(5, message.logTerm).int64Field(6, message.index);
      writer.boolField(10, message.reject).int64Field(11, message.rejectHint);
      return;
    case "MsgVote":
    case "MsgPreVote":
      writer.int64Field(5, message.logTerm).int64Field(6, message.index);
      if (message.forced) writer.bytesField(12, transferContext);
      return;
    case "MsgVoteResp":
    case "MsgPreVoteResp":
      writer.boolField(10, message.reject);
      return;
    case "MsgSnap":
      writer.messageField(9, (nested) => writeSnapshot(nested, message.snapshot));
      return;
    case "MsgHeartbeat":
      writer.int64Field(8, message.commit).bytesField(12, message.context);
      return;
    case "MsgHeartbeatResp":
      writer.bytesField(12, message.context);
      return;
    case "MsgReadIndex":
      writeProposal(writer, { type: EntryType.Normal, data: message.context });
      return;
    case "MsgReadIndexResp":
      writer.int64Field(6, message.index);
      writeProposal(writer, { type: EntryType.Normal, data: message.context });
      return;
    case "MsgHup":
    case "MsgBeat":
    case "MsgUnreachable":
    case "MsgSnapStatus":
    case "MsgCheckQuorum":
    case "MsgStorageAppend":
    case "MsgStorageAppendResp":
    case "MsgStorageApply":
    case "MsgStorageApplyResp":
    case "MsgForgetLeader":
      assert(false, `${message.type} does not leave the member`);
      return;
    default:
      unreachable(message, "message");
  }
}

function writeProposal(writer: ProtoWriter, { type, data }: Proposal): void {
  const dataBytes = data.length === 0 ? 0 : 1 + varintSize(data.length) + data.length;
  writer.varint(entriesTag).varint((type === EntryType.Normal ? 0 : 2) + dataBytes);
  writer.int64Field(1, type).bytesField(4, data);
}

interface Fields {
  type: number;
  to: bigint;
  from: bigint;
  term: number;
  logTerm: number;
  index: number;
  entries: Entry[];
  commit: number;
  snapshot: Snapshot | undefined;
  reject: boolean;
  rejectHint: number;
  context: Uint8Array;
}

/**
 * The message in `bytes`, with which entries and snapshot share memory. Errors: ProtoError for what is not a
 * message between members, fields out of range, entries that are not consecutive.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new ProtoReader(bytes);
  const fields: Fields = {
    type: 0,
    to: 0n,
    from: 0n,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: emptyBytes,
  };
  while (reader.more) readField(reader, fields);
  return toMessage(fields);
}

function readField(reader: ProtoReader, fields: Fields): void {
  const tag = reader.tag();
  switch (tag) {
    case 8:
      fields.type = reader.uint32();
      return;
    case 16:
      fields.to = reader.uint64Big();
      return;
    case 24:
      fields.from = reader.uint64Big();
      return;
    case 32:
      fields.term = readCount(reader);
      return;
    case 40:
      fields.logTerm = readCount(reader);
      return;
    case 48:
      fields.index = readCount(reader);
      return;
    case entriesTag:
      fields.entries.push(readEntry(reader.message()));
      return;
    case 64:
      fields.commit = readCount(reader);
      return;
    case 74:
      fields.snapshot = readSnapshot(reader.message());
      return;
    case 80:
      fields.reject = reader.bool();
      return;
    case 88:
      fields.rejectHint = readCount(reader);
      return;
    case 98:
      fields.context = reader.slice();
      return;
    default:
      reader.skip(tag);
  }
}

function toMessage(fields: Fields): Message {
  const type = messageTypes[fields.type];
  if (type === undefined) throw new ProtoError(`unknown message type ${fields.type}`);
  if (isLocalType(type)) throw new ProtoError(`${type} does not travel between members`);
  const { to, from, term, index, logTerm, commit, reject, rejectHint, context } = fields;
  switch (type) {
    case "MsgTransferLeader":
    case "MsgTimeoutNow":
      return { type, to, from, term };
    case "MsgProp":
      if (fields.entries.length === 0) throw new ProtoError("MsgProp without entries");
      return { type, to, from, term, entries: fields.entries };
    case "MsgApp":
      checkConsecutive(fields);
      return { type, to, from, term, index, logTerm, entries: fields.entries, commit };
    case "MsgAppResp":
      return { type, to, from, term, index, reject, rejectHint, logTerm };
    case "MsgVote":
    case "MsgPreVote":
      return { type, to, from, term, index, logTerm, forced: equalBytes(context, transferContext) };
    case "MsgVoteResp":
    case "MsgPreVoteResp":
      return { type, to, from, term, reject };
    case "MsgSnap":
      if (fields.snapshot === undefined) throw new ProtoError("MsgSnap without a snapshot");
      return { type, to, from, term, snapshot: fields.snapshot };
    case "MsgHeartbeat":
      return { type, to, from, term, commit, context };
    case "MsgHeartbeatResp":
      return { type, to, from, term, context };
    case "MsgReadIndex":
      return { type, to, from, term, context: loneData(fields) };
    case "MsgReadIndexResp":
      return { type, to, from, term, index, context: loneData(fields) };
    default:
      throw new ProtoError(`${type} does not travel between members`);
  }
}

/** A follower may trust the indexes of what it appends: damage on the way stops here. */
function checkConsecutive(fields: Fields): void {
  let { index, logTerm } = fields;
  for (const entry of fields.entries) {
    if (entry.index !== index + 1) throw new ProtoError("MsgApp with entries that are not consecutive");
    if (entry.term < logTerm || entry.term > fields.term)
      throw new ProtoError("MsgApp with an entry of a wrong term");
    ({ index, term: logTerm } = entry);
  }
}

function loneData(fields: Fields): Uint8Array {
  const [entry] = fields.entries;
  if (entry === undefined || fields.entries.length !== 1) {
    throw new ProtoError(`a read carries one entry, not ${fields.entries.length}`);
  }
  return entry.data;
}
