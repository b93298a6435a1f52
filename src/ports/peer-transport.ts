/** How a member reaches the others. Messages may be lost, doubled or reordered; Raft does not mind. */
import type { MemberId } from "../base/brand.js";
import type { Message, SnapshotMessage } from "../raft/message.js";
import type { StoreImage } from "./revision-store.js";
import type { ReceivedImage } from "./snapshot-store.js";

export interface Peer {
  readonly id: MemberId;
  readonly urls: readonly string[];
}

/** What comes back to the member from the links. */
export interface PeerEvents {
  message(message: Message): void;
  /** A snapshot message whose image arrived whole and verified. The member installs or discards it. */
  snapshot(message: SnapshotMessage, image: ReceivedImage): void;
  /** The link to `peer` broke, or its queue was full: raft probes it before it sends more. */
  unreachable(peer: MemberId): void;
  /** A snapshot sent with `sendSnapshot` arrived whole, or not. */
  snapshotSent(peer: MemberId, arrived: boolean): void;
}

export interface PeerTransport {
  /** Replaces the set of peers; links to those that left are closed, new ones are dialed with backoff. */
  setPeers(peers: readonly Peer[]): void;
  /** Queues messages, each for `message.to`. Bounded (limits.peerQueue…): what does not fit is dropped and reported. */
  send(messages: readonly Message[]): void;
  /** Streams `image` beside the snapshot message; closes the image at the end, whatever happens. */
  sendSnapshot(message: SnapshotMessage, image: StoreImage): void;
  /** True where a link to `peer` is up; for health and metrics. */
  isActive(peer: MemberId): boolean;
  close(): Promise<void>;
}
