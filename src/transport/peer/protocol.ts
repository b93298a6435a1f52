/**
 * What members say to each other over gRPC on their peer URLs: service quorate.peer.v1.Peer.
 *
 *   Messages  bidi    batches of Raft messages one way; the other way one empty message says "accepted"
 *   Snapshot  bidi    a Raft snapshot message, then the chunks of a store image; an empty message says "installed or dropped, but whole"
 *   Knows     unary   is this id a member, as far as you know?
 *   LeaseKeepAlive, LeaseTimeToLive
 *             unary   what only the leader can answer (lease-protocol.ts)
 *
 * A Raft message is raftpb.Message as etcd writes it. Every call names, in its metadata, the cluster and both ends,
 * and where the caller can be answered.
 */

import type { ClusterId, MemberId } from "../../base/brand.js";
import { partsBytes } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";
import { ProtoReader, ProtoWriter, wireBytes } from "../../base/protowire.js";
import type { MessageParts } from "../../raft/message-codec.js";
import type { CallMetadata } from "../http2/client.js";
import type { CallContext } from "../rpc.js";

export const peerPaths = {
  messages: "/quorate.peer.v1.Peer/Messages",
  snapshot: "/quorate.peer.v1.Peer/Snapshot",
  knows: "/quorate.peer.v1.Peer/Knows",
  leaseKeepAlive: "/quorate.peer.v1.Peer/LeaseKeepAlive",
  leaseTimeToLive: "/quorate.peer.v1.Peer/LeaseTimeToLive",
} as const;

const clusterKey = "x-cluster-id";
const fromKey = "x-from-member-id";
const toKey = "x-to-member-id";
const urlsKey = "x-peer-urls";

export interface Introduction {
  readonly clusterId: ClusterId;
  readonly from: MemberId;
  readonly to: MemberId;
  /** Peer URLs of the caller: whom it called may not have learned of it yet. */
  readonly urls: readonly string[];
}

export function introductionMetadata(introduction: Introduction): CallMetadata {
  return {
    [clusterKey]: introduction.clusterId.toString(16),
    [fromKey]: introduction.from.toString(16),
    [toKey]: introduction.to.toString(16),
    [urlsKey]: introduction.urls.join(),
  };
}

/** Undefined where the caller did not introduce itself. */
export function readIntroduction(call: CallContext): Introduction | undefined {
  const [clusterId, from, to] = [clusterKey, fromKey, toKey].map((key) => readId(call.metadata(key)));
  if (clusterId === undefined || from === undefined || to === undefined) return undefined;
  return { clusterId, from, to, urls: readUrls(call.metadata(urlsKey)) };
}

/** What is not a list of peer URLs is as good as none: the caller is not answered until it is a known member. */
function readUrls(text: string | undefined): readonly string[] {
  if (text === undefined || text.length > limits.peerUrlsCharactersMax) return [];
  const urls = text.split(",");
  return urls.every((url) => /^https?:\/\/[^\s/?#@]+:\d{1,5}$/.test(url) && URL.canParse(url)) ? urls : [];
}

function readId(hex: string | undefined): bigint | undefined {
  return hex !== undefined && /^[0-9a-f]{1,16}$/.test(hex) ? BigInt(`0x${hex}`) : undefined;
}

const messageField = 1;
const chunkField = 2;
/** A tag of one byte, and a varint. */
const fieldHeadBytesMax = 11;

/** Several encoded Raft messages as one frame: a head for each, and its parts uncopied. */
export function encodeBatch(messages: readonly MessageParts[]): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (const message of messages) {
    parts.push(fieldHead(messageField, partsBytes(message)));
    for (const part of message) parts.push(part);
  }
  return parts;
}

function fieldHead(field: number, length: number): Uint8Array {
  return new ProtoWriter(fieldHeadBytesMax)
    .varint(field * 8 + wireBytes)
    .varint(length)
    .finish();
}

export interface Frame {
  /** Encoded Raft messages. */
  readonly messages: readonly Uint8Array[];
  /** A part of a store image, where the frame holds one. */
  readonly chunk: Uint8Array | undefined;
}

/** Throws ProtoError. Slices share memory with `bytes`. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const reader = new ProtoReader(bytes);
  const messages: Uint8Array[] = [];
  let chunk: Uint8Array | undefined;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === messageField * 8 + wireBytes) messages.push(reader.slice());
    else if (tag === chunkField * 8 + wireBytes) chunk = reader.slice();
    else reader.skip(tag);
  }
  return { messages, chunk };
}

/** The head of a chunk frame: the chunk itself follows as a part of its own, uncopied. */
export function encodeChunk(chunk: Uint8Array): readonly Uint8Array[] {
  return [fieldHead(chunkField, chunk.length), chunk];
}

export function encodeId(id: bigint): Uint8Array {
  return new ProtoWriter(16).bigField(1, id).finish();
}

/** Throws ProtoError. */
export function decodeId(bytes: Uint8Array): bigint {
  const reader = new ProtoReader(bytes);
  if (!reader.more) return 0n;
  reader.tag();
  return reader.uint64Big();
}
