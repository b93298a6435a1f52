/** walpb.Snapshot: where a snapshot of the store cuts the log. */
import { ProtoReader, ProtoWriter } from "../../base/protowire.js";
import type { LogMark } from "../../ports/raft-log.js";
import { readConfState, readCount, writeConfState } from "../../raft/codec.js";
import { emptyConfState } from "../../raft/types.js";

/** etcd's readers want a configuration in every mark but the one that begins a log. */
export function encodeMark(mark: LogMark): Uint8Array {
  const writer = new ProtoWriter(64);
  writer.varint(8).varint(mark.index).varint(16).varint(mark.term);
  if (mark.index > 0) writer.messageField(3, (nested) => writeConfState(nested, mark.confState));
  return writer.finish();
}

/** Errors: ProtoError. */
export function decodeMark(bytes: Uint8Array): LogMark {
  const reader = new ProtoReader(bytes);
  let index = 0;
  let term = 0;
  let confState = emptyConfState;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === 8) index = readCount(reader);
    else if (tag === 16) term = readCount(reader);
    else if (tag === 26) confState = readConfState(reader.message());
    else reader.skip(tag);
  }
  return { index, term, confState };
}
