/**
 * The receiving end of peer links. Whoever is of another cluster, was removed, or is not known to any member
 * that this one can ask, is refused before a byte of its messages is looked at.
 */
import type { ClusterId, LeaseId, MemberId } from "../../base/brand.js";
import { emptyBytes } from "../../base/bytes.js";
import { failpoints } from "../../base/failpoint.js";
import type { Logger } from "../../base/logger.js";
import type { LeaseTimes, RenewedSeconds } from "../../ports/lease-peers.js";
import type { Peer, PeerEvents } from "../../ports/peer-transport.js";
import type { ImageReceiver } from "../../ports/snapshot-store.js";
import { isLocalType } from "../../raft/message.js";
import { decodeMessage } from "../../raft/message-codec.js";
import {
  type BidiMethod,
  type CallContext,
  type RpcMethod,
  RpcStatus,
  StatusCode,
  type UnaryMethod,
} from "../rpc.js";
import { decodeRenewals, decodeTimesRequest, encodeRenewed, encodeTimes } from "./lease-protocol.js";
import {
  decodeFrame,
  decodeId,
  encodeId,
  type Introduction,
  peerPaths,
  readIntroduction,
} from "./protocol.js";

const caller = "transport/peer";

/** What the service asks of the member about others. */
export interface MemberDirectory {
  /** True before this member's log tells of anybody: it can neither know nor ask who is a member. */
  readonly isEmpty: boolean;
  isMember(id: MemberId): boolean;
  isRemoved(id: MemberId): boolean;
  /** Asks the members that this one knows: it may lag behind the entry that added `id`. */
  isKnownElsewhere(id: MemberId): Promise<boolean>;
}

/** What a leader answers about leases. */
export interface LeaseAnswers {
  /** 0: there is no such lease; undefined: this member does not lead. */
  renewHere(lease: LeaseId): PromiseLike<RenewedSeconds>;
  /** Rejects where this member does not lead. */
  timesHere(lease: LeaseId, options: { readonly keys: boolean }): Promise<LeaseTimes | "unknown">;
}

export interface PeerServiceDeps {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  readonly directory: MemberDirectory;
  readonly events: Pick<PeerEvents, "message" | "snapshot">;
  /** A peer that is not in the list of members has opened its stream; the result is called when that ends. */
  readonly meet: (peer: Peer) => () => void;
  readonly images: ImageReceiver;
  readonly leases: LeaseAnswers;
  readonly logger: Logger;
}

export function peerMethods(deps: PeerServiceDeps): readonly RpcMethod[] {
  return [
    messagesMethod(deps),
    snapshotMethod(deps),
    knowsMethod(deps),
    keepAliveMethod(deps),
    timeToLiveMethod(deps),
  ];
}

const rawBytes = { decode: (bytes: Uint8Array) => bytes, encode: (bytes: Uint8Array) => bytes };

async function admit(call: CallContext, deps: PeerServiceDeps): Promise<Introduction> {
  const introduction = readIntroduction(call);
  const reason = introduction === undefined ? "no introduction" : await refusal(introduction, deps);
  if (introduction === undefined || reason !== undefined) {
    deps.logger.warn(caller, "rejected connection on peer endpoint", {
      "remote-addr": call.peer,
      "remote-peer-id": introduction?.from.toString(16),
      "remote-cluster-id": introduction?.clusterId.toString(16),
      "local-cluster-id": deps.clusterId.toString(16),
      error: reason,
    });
    throw new RpcStatus(StatusCode.PermissionDenied, reason ?? "no introduction");
  }
  return introduction;
}

async function refusal(introduction: Introduction, deps: PeerServiceDeps): Promise<string | undefined> {
  const { directory } = deps;
  if (introduction.clusterId !== deps.clusterId) return "cluster ID mismatch";
  if (introduction.to !== deps.memberId) return "member ID mismatch";
  if (directory.isRemoved(introduction.from))
    return "the member has been permanently removed from the cluster";
  if (directory.isEmpty || directory.isMember(introduction.from)) return undefined;
  return (await directory.isKnownElsewhere(introduction.from)) ? undefined : "unknown member";
}

function messagesMethod(deps: PeerServiceDeps): BidiMethod<Uint8Array, Uint8Array> {
  return {
    kind: "bidi",
    path: peerPaths.messages,
    ...rawBytes,
    handle: async (requests, call, sink) => {
      const { from, urls } = await admit(call, deps);
      const leave = deps.directory.isMember(from) ? undefined : deps.meet({ id: from, urls });
      try {
        sink.write(emptyBytes);
        for await (const bytes of requests) takeMessages(bytes, from, deps);
      } finally {
        leave?.();
      }
    },
  };
}

function takeMessages(frame: Uint8Array, from: MemberId, deps: PeerServiceDeps): void {
  for (const encoded of decodeFrame(frame).messages) {
    const message = decodeMessage(encoded);
    if (isLocalType(message.type))
      throw new RpcStatus(StatusCode.InvalidArgument, `${message.type} is not for peers`);
    if (deps.directory.isRemoved(from)) throw new RpcStatus(StatusCode.PermissionDenied, "removed");
    // As in etcd it drops whatever comes on the stream, heartbeats among it.
    if (failpoints.raftDropHeartbeat?.() !== undefined) continue;
    deps.events.message(message);
  }
}

function snapshotMethod(deps: PeerServiceDeps): BidiMethod<Uint8Array, Uint8Array> {
  return {
    kind: "bidi",
    path: peerPaths.snapshot,
    ...rawBytes,
    handle: async (requests, call, sink) => {
      await admit(call, deps);
      const frames = requests[Symbol.asyncIterator]();
      const first = await frames.next();
      const encoded = first.done === true ? undefined : decodeFrame(first.value).messages[0];
      const message = encoded === undefined ? undefined : decodeMessage(encoded);
      if (message?.type !== "MsgSnap")
        throw new RpcStatus(StatusCode.InvalidArgument, "a snapshot begins with its message");
      deps.logger.info(caller, "receiving database snapshot", {
        "remote-peer-id": message.from.toString(16),
        "incoming-snapshot-index": message.snapshot.metadata.index,
      });
      const image = await deps.images.receive(chunksOf(frames));
      if (
        image.applied.index !== message.snapshot.metadata.index ||
        image.applied.term !== message.snapshot.metadata.term
      ) {
        await image.discard();
        throw new RpcStatus(StatusCode.InvalidArgument, "the snapshot message and its image disagree");
      }
      deps.events.snapshot(message, image);
      sink.write(emptyBytes);
    },
  };
}

async function* chunksOf(frames: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    const { chunk } = decodeFrame(next.value);
    if (chunk !== undefined) yield chunk;
  }
}

function knowsMethod(deps: PeerServiceDeps): UnaryMethod<Uint8Array, Uint8Array> {
  return {
    kind: "unary",
    path: peerPaths.knows,
    ...rawBytes,
    handle: (bytes, call) => {
      if (readIntroduction(call)?.clusterId !== deps.clusterId) {
        throw new RpcStatus(StatusCode.PermissionDenied, "cluster ID mismatch");
      }
      return encodeId(deps.directory.isMember(decodeId(bytes)) ? 1n : 0n);
    },
  };
}

function keepAliveMethod(deps: PeerServiceDeps): UnaryMethod<Uint8Array, Uint8Array> {
  return {
    kind: "unary",
    path: peerPaths.leaseKeepAlive,
    ...rawBytes,
    handle: async (bytes, call) => {
      await admit(call, deps);
      const leases = decodeRenewals(bytes);
      failpoints.beforeServeHTTPLeaseRenew?.();
      return encodeRenewed(leases, await Promise.all(leases.map((lease) => deps.leases.renewHere(lease))));
    },
  };
}

function timeToLiveMethod(deps: PeerServiceDeps): UnaryMethod<Uint8Array, Uint8Array> {
  return {
    kind: "unary",
    path: peerPaths.leaseTimeToLive,
    ...rawBytes,
    handle: async (bytes, call) => {
      await admit(call, deps);
      const { lease, keys } = decodeTimesRequest(bytes);
      return encodeTimes(lease, await deps.leases.timesHere(lease, { keys }));
    },
  };
}
