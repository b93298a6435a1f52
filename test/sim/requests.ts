/** Requests of clients as protobuf bytes, as they would come over the wire. */
import type { LeaseId } from "../../src/base/brand.js";
import { latin1ToBytes } from "../../src/base/bytes.js";
import { ProtoWriter } from "../../src/base/protowire.js";
import { CompareTarget } from "../../src/mvcc/requests.js";

export function encodePut(
  key: string,
  value: Uint8Array,
  { prevKv, lease }: { readonly prevKv: boolean; readonly lease: LeaseId },
): Uint8Array {
  const writer = new ProtoWriter(value.length + 48);
  writer.bytesField(1, latin1ToBytes(key)).bytesField(2, value).bigField(3, lease);
  return writer.boolField(4, prevKv).finish();
}

/** `end` empty: the one key. */
export function encodeDelete(key: string, end: string): Uint8Array {
  return new ProtoWriter(32).bytesField(1, latin1ToBytes(key)).bytesField(2, latin1ToBytes(end)).finish();
}

export function encodeCompaction(revision: number): Uint8Array {
  return new ProtoWriter(16).int64Field(1, revision).finish();
}

export type TxnOp =
  | { readonly kind: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: string }
  | { readonly kind: "range"; readonly key: string };

export interface TxnText {
  /** The key must have this mod revision (0: must not exist); undefined: no condition. */
  readonly compare: { readonly key: string; readonly modRevision: number } | undefined;
  readonly success: readonly TxnOp[];
  readonly failure: readonly TxnOp[];
}

export function encodeTxn({ compare, success, failure }: TxnText): Uint8Array {
  const writer = new ProtoWriter(128);
  if (compare !== undefined) {
    writer.messageField(1, (nested) =>
      nested
        .int64Field(2, CompareTarget.Mod)
        .bytesField(3, latin1ToBytes(compare.key))
        .varint(6 * 8)
        .varint(compare.modRevision),
    );
  }
  for (const op of success) writer.messageField(2, (nested) => writeOp(nested, op));
  for (const op of failure) writer.messageField(3, (nested) => writeOp(nested, op));
  return writer.finish();
}

function writeOp(writer: ProtoWriter, op: TxnOp): void {
  const key = latin1ToBytes(op.key);
  switch (op.kind) {
    case "range":
      writer.messageField(1, (nested) => nested.bytesField(1, key));
      return;
    case "put":
      writer.messageField(2, (nested) => nested.bytesField(1, key).bytesField(2, op.value));
      return;
    case "delete":
      writer.messageField(3, (nested) => nested.bytesField(1, key));
      return;
  }
}
