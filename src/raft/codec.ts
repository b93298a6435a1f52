/**
 * raftpb on the wire and in the log, byte for byte as etcd 3.7 writes it: fields in the order of their numbers;
 * of an entry the type only when it is not Normal, term and index always; of a hard state all three, of a
 * configuration state auto_leave always. What is read here came from a peer or a disk, so every mistake in it is
 * a `ProtoError`. Messages have their codec in message-codec.ts.
 */
import { emptyBytes } from "../base/bytes.js";
import { ProtoError, ProtoReader, ProtoWriter, varintSize, wireBytes } from "../base/protowire.js";
import type { ConfChange, ConfChangeSingle, ConfChangeV2 } from "./conf-change.js";
import { ConfChangeTransition, ConfChangeType } from "./conf-change.js";
import type { ConfState, Entry, HardState, Snapshot, SnapshotMetadata } from "./types.js";
import { EntryType, emptyConfState } from "./types.js";

/** A term or an index: unsigned, and below 2^53 as long as it is honest. */
export function readCount(reader: ProtoReader): number {
  const value = reader.int64();
  if (value < 0 || value === Number.MAX_SAFE_INTEGER) throw new ProtoError("term or index out of range");
  return value;
}

function readEnum<Value extends number>(reader: ProtoReader, max: Value, name: string): Value {
  const value = reader.uint32();
  if (value > max) throw new ProtoError(`unknown ${name} ${value}`);
  return value as Value;
}

/** Bytes that `writeEntry` takes. */
export function entrySizeBytes(entry: Entry): number {
  const dataBytes = entry.data.length;
  return (
    (entry.type === EntryType.Normal ? 0 : 2) +
    (1 + varintSize(entry.term)) +
    (1 + varintSize(entry.index)) +
    (dataBytes === 0 ? 0 : 1 + varintSize(dataBytes) + dataBytes)
  );
}

export function writeEntry(writer: ProtoWriter, entry: Entry): void {
  if (entry.type !== EntryType.Normal) writer.varint(8).varint(entry.type);
  writer.varint(16).varint(entry.term).varint(24).varint(entry.index).bytesField(4, entry.data);
}

export function encodeEntry(entry: Entry): Uint8Array {
  const writer = new ProtoWriter(entrySizeBytes(entry));
  writeEntry(writer, entry);
  return writer.finish();
}

/** The data of the entry shares memory with what is read. */
export function readEntry(reader: ProtoReader): Entry {
  let type: EntryType = EntryType.Normal;
  let term = 0;
  let index = 0;
  let data = emptyBytes;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 8) type = readEnum<EntryType>(reader, EntryType.ConfChangeV2, "entry type");
    else if (tag === 16) term = readCount(reader);
    else if (tag === 24) index = readCount(reader);
    else if (tag === 34) data = reader.slice();
    else reader.skip(tag);
  }
  return { term, index, type, data };
}

/** What an entry says beside its payload. */
export interface EntryHead {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  readonly hasData: boolean;
}

/** As `readEntry`, for a pass over many entries of which few are kept. */
export function readEntryHead(reader: ProtoReader): EntryHead {
  let type: EntryType = EntryType.Normal;
  let term = 0;
  let index = 0;
  let hasData = false;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 8) type = readEnum<EntryType>(reader, EntryType.ConfChangeV2, "entry type");
    else if (tag === 16) term = readCount(reader);
    else if (tag === 24) index = readCount(reader);
    else if (tag === 34) hasData = reader.message().more;
    else reader.skip(tag);
  }
  return { term, index, type, hasData };
}

export function decodeEntry(bytes: Uint8Array): Entry {
  return readEntry(new ProtoReader(bytes));
}

export function encodeHardState(state: HardState): Uint8Array {
  const writer = new ProtoWriter(32);
  writer.varint(8).varint(state.term).varint(16).varintBig(state.vote).varint(24).varint(state.commit);
  return writer.finish();
}

export function decodeHardState(bytes: Uint8Array): HardState {
  const reader = new ProtoReader(bytes);
  let term = 0;
  let vote = 0n;
  let commit = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 8) term = readCount(reader);
    else if (tag === 16) vote = reader.uint64Big();
    else if (tag === 24) commit = readCount(reader);
    else reader.skip(tag);
  }
  return { term, vote, commit };
}

export function writeConfState(writer: ProtoWriter, state: ConfState): void {
  for (const id of state.voters) writer.varint(8).varintBig(id);
  for (const id of state.learners) writer.varint(16).varintBig(id);
  for (const id of state.votersOutgoing) writer.varint(24).varintBig(id);
  for (const id of state.learnersNext) writer.varint(32).varintBig(id);
  writer.varint(40).varint(state.autoLeave ? 1 : 0);
}

export function encodeConfState(state: ConfState): Uint8Array {
  const writer = new ProtoWriter(64);
  writeConfState(writer, state);
  return writer.finish();
}

export function readConfState(reader: ProtoReader): ConfState {
  const lists: [bigint[], bigint[], bigint[], bigint[]] = [[], [], [], []];
  let autoLeave = false;
  while (reader.more) {
    const tag = reader.tag();
    const list = lists[(tag >>> 3) - 1];
    if (tag === 40) autoLeave = reader.bool();
    else if (list !== undefined && (tag & 7) === 0) list.push(reader.uint64Big());
    else if (list !== undefined && (tag & 7) === wireBytes) {
      // Protobuf asks every parser to accept the packed form as well.
      for (const packed = reader.message(); packed.more; ) list.push(packed.uint64Big());
    } else reader.skip(tag);
  }
  const [voters, learners, votersOutgoing, learnersNext] = lists;
  return { voters, learners, votersOutgoing, learnersNext, autoLeave };
}

export function decodeConfState(bytes: Uint8Array): ConfState {
  return readConfState(new ProtoReader(bytes));
}

export function writeSnapshotMetadata(writer: ProtoWriter, metadata: SnapshotMetadata): void {
  writer.messageField(1, (nested) => writeConfState(nested, metadata.confState));
  writer.varint(16).varint(metadata.index).varint(24).varint(metadata.term);
}

export function encodeSnapshotMetadata(metadata: SnapshotMetadata): Uint8Array {
  const writer = new ProtoWriter(64);
  writeSnapshotMetadata(writer, metadata);
  return writer.finish();
}

function readSnapshotMetadata(reader: ProtoReader): SnapshotMetadata {
  let confState = emptyConfState;
  let index = 0;
  let term = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 10) confState = readConfState(reader.message());
    else if (tag === 16) index = readCount(reader);
    else if (tag === 24) term = readCount(reader);
    else reader.skip(tag);
  }
  return { confState, index, term };
}

export function decodeSnapshotMetadata(bytes: Uint8Array): SnapshotMetadata {
  return readSnapshotMetadata(new ProtoReader(bytes));
}

export function writeSnapshot(writer: ProtoWriter, snapshot: Snapshot): void {
  writer.bytesField(1, snapshot.data);
  writer.messageField(2, (nested) => writeSnapshotMetadata(nested, snapshot.metadata));
}

export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const writer = new ProtoWriter(96 + snapshot.data.length);
  writeSnapshot(writer, snapshot);
  return writer.finish();
}

/** The data of the snapshot shares memory with what is read. */
export function readSnapshot(reader: ProtoReader): Snapshot {
  let data = emptyBytes;
  let metadata: SnapshotMetadata = { confState: emptyConfState, index: 0, term: 0 };
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 10) data = reader.slice();
    else if (tag === 18) metadata = readSnapshotMetadata(reader.message());
    else reader.skip(tag);
  }
  return { data, metadata };
}

export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  return readSnapshot(new ProtoReader(bytes));
}

export function encodeConfChange(change: ConfChange): Uint8Array {
  const writer = new ProtoWriter(32 + change.context.length);
  writer.bigField(1, change.id).varint(16).varint(change.type).varint(24).varintBig(change.nodeId);
  writer.bytesField(4, change.context);
  return writer.finish();
}

export function decodeConfChange(bytes: Uint8Array): ConfChange {
  const reader = new ProtoReader(bytes);
  let id = 0n;
  let type: ConfChangeType = ConfChangeType.AddNode;
  let nodeId = 0n;
  let context = emptyBytes;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 8) id = reader.uint64Big();
    else if (tag === 16)
      type = readEnum<ConfChangeType>(reader, ConfChangeType.AddLearnerNode, "change type");
    else if (tag === 24) nodeId = reader.uint64Big();
    else if (tag === 34) context = reader.slice();
    else reader.skip(tag);
  }
  return { version: 1, id, type, nodeId, context };
}

/** Empty for `leaveJointChange`. */
export function encodeConfChangeV2(change: ConfChangeV2): Uint8Array {
  const writer = new ProtoWriter(64 + change.context.length);
  writer.int64Field(1, change.transition);
  for (const single of change.changes) {
    writer.messageField(2, (nested) => {
      nested.varint(8).varint(single.type).varint(16).varintBig(single.nodeId);
    });
  }
  writer.bytesField(3, change.context);
  return writer.finish();
}

function readConfChangeSingle(reader: ProtoReader): ConfChangeSingle {
  let type: ConfChangeType = ConfChangeType.AddNode;
  let nodeId = 0n;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 8) type = readEnum<ConfChangeType>(reader, ConfChangeType.AddLearnerNode, "change type");
    else if (tag === 16) nodeId = reader.uint64Big();
    else reader.skip(tag);
  }
  return { type, nodeId };
}

export function decodeConfChangeV2(bytes: Uint8Array): ConfChangeV2 {
  const reader = new ProtoReader(bytes);
  let transition: ConfChangeTransition = ConfChangeTransition.Auto;
  const changes: ConfChangeSingle[] = [];
  let context = emptyBytes;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 8) {
      transition = readEnum<ConfChangeTransition>(reader, ConfChangeTransition.JointExplicit, "transition");
    } else if (tag === 18) changes.push(readConfChangeSingle(reader.message()));
    else if (tag === 26) context = reader.slice();
    else reader.skip(tag);
  }
  return { version: 2, transition, changes, context };
}

/** The change that an entry of the log holds; undefined for a normal entry. Errors: ProtoError. */
export function entryConfChange(entry: Pick<Entry, "type" | "data">): ConfChange | ConfChangeV2 | undefined {
  if (entry.type === EntryType.ConfChange) return decodeConfChange(entry.data);
  if (entry.type === EntryType.ConfChangeV2) return decodeConfChangeV2(entry.data);
  return undefined;
}
