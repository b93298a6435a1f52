/** All links of one member: the PeerTransport that the driver sends by. */
import type { LeaseId, MemberId } from "../../base/brand.js";
import type { Logger } from "../../base/logger.js";
import type { Clock } from "../../ports/clock.js";
import type { LeasePeers, LeaseTimes, RenewedSeconds } from "../../ports/lease-peers.js";
import type { Peer, PeerEvents, PeerTransport } from "../../ports/peer-transport.js";
import type { StoreImage } from "../../ports/revision-store.js";
import type { Message, SnapshotMessage } from "../../raft/message.js";
import { MessageEncoder } from "../../raft/message-codec.js";
import { RpcStatus, StatusCode } from "../rpc.js";
import { decodeRenewed, decodeTimes, encodeRenewals, encodeTimesRequest } from "./lease-protocol.js";
import { type ChannelFactory, PeerLink } from "./peer-link.js";
import { peerPaths } from "./protocol.js";
import { Visitors } from "./visitors.js";

export interface PeerLinksOptions {
  readonly clusterId: bigint;
  readonly memberId: MemberId;
  /** Where this member can be reached by those that do not know it yet. */
  readonly urls: readonly string[];
}

export interface PeerLinksDeps {
  readonly connect: ChannelFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1): spreads reconnections. */
  readonly random: () => number;
  /** Whether the log tells that a member was removed. */
  readonly isRemoved: (id: MemberId) => boolean;
  readonly events: Pick<PeerEvents, "unreachable" | "snapshotSent">;
}

export class PeerLinks implements PeerTransport, LeasePeers {
  private readonly links = new Map<MemberId, PeerLink>();
  private readonly visitors: Visitors;

  constructor(
    private readonly options: PeerLinksOptions,
    private readonly deps: PeerLinksDeps,
  ) {
    const { isRemoved, logger } = deps;
    this.visitors = new Visitors({ open: (peer) => this.open(peer), isRemoved, logger });
  }

  setPeers(peers: readonly Peer[]): void {
    const wanted = new Map(
      peers.filter((peer) => peer.id !== this.options.memberId).map((peer) => [peer.id, peer]),
    );
    for (const [id, link] of this.links) {
      const peer = wanted.get(id);
      if (peer !== undefined && peer.urls.join() === link.urls.join()) continue;
      link.close();
      this.links.delete(id);
    }
    for (const peer of wanted.values())
      if (!this.links.has(peer.id)) this.links.set(peer.id, this.openOrTakeOver(peer));
    this.visitors.dropRemoved();
  }

  /** A peer that is not in the list of members speaks to this one; the result is called when its stream ends. */
  meet(peer: Peer): () => void {
    return this.links.has(peer.id) ? () => {} : this.visitors.meet(peer);
  }

  send(messages: readonly Message[]): void {
    const encoder = new MessageEncoder();
    if (messages.length === 1) {
      this.linkTo(messages[0]!.to)?.send(messages, encoder);
      return;
    }
    const byPeer = new Map<MemberId, Message[]>();
    for (const message of messages) {
      const group = byPeer.get(message.to);
      if (group === undefined) byPeer.set(message.to, [message]);
      else group.push(message);
    }
    for (const [id, group] of byPeer) this.linkTo(id)?.send(group, encoder);
  }

  sendSnapshot(message: SnapshotMessage, image: StoreImage): void {
    const sending = this.linkTo(message.to)?.sendSnapshot(message, image) ?? Promise.resolve(false);
    sending
      .then((arrived) => {
        const fields = { "remote-peer-id": message.to.toString(16), bytes: image.sizeBytes };
        if (arrived) this.deps.logger.info("transport/peer", "sent database snapshot", fields);
        else this.deps.logger.warn("transport/peer", "failed to send database snapshot", fields);
        this.deps.events.snapshotSent(message.to, arrived);
      })
      .finally(() => image.close());
  }

  isActive(peer: MemberId): boolean {
    return this.linkTo(peer)?.active ?? false;
  }

  /** Links to members that are up. */
  get activeCount(): number {
    return [...this.links.values()].filter((link) => link.active).length;
  }

  /** True as soon as one of the peers says that `id` is a member. */
  async isKnown(id: MemberId): Promise<boolean> {
    const answers = await Promise.all([...this.links.values()].map((link) => link.knows(id)));
    return answers.includes(true);
  }

  async renewLeases(
    leader: MemberId,
    leases: readonly LeaseId[],
    timeoutMs: number,
  ): Promise<readonly RenewedSeconds[]> {
    return decodeRenewed(await this.ask(leader, peerPaths.leaseKeepAlive, encodeRenewals(leases), timeoutMs));
  }

  async leaseTimes(
    leader: MemberId,
    lease: LeaseId,
    { keys, timeoutMs }: { readonly keys: boolean; readonly timeoutMs: number },
  ): Promise<LeaseTimes | "unknown"> {
    const request = encodeTimesRequest(lease, keys);
    return decodeTimes(await this.ask(leader, peerPaths.leaseTimeToLive, request, timeoutMs));
  }

  async close(): Promise<void> {
    for (const link of this.links.values()) link.close();
    this.links.clear();
    this.visitors.close();
  }

  private ask(peer: MemberId, path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const link = this.linkTo(peer);
    if (link === undefined) throw new RpcStatus(StatusCode.Unavailable, "no such peer");
    return link.ask(path, body, timeoutMs);
  }

  private linkTo(id: MemberId): PeerLink | undefined {
    return this.links.get(id) ?? this.visitors.linkTo(id);
  }

  private openOrTakeOver(peer: Peer): PeerLink {
    const link = this.visitors.handOver(peer.id);
    if (link?.urls.join() === peer.urls.join()) return link;
    link?.close();
    return this.open(peer);
  }

  private open(peer: Peer): PeerLink {
    const { clusterId, memberId: from, urls } = this.options;
    const introduction = { clusterId, from, to: peer.id, urls };
    return new PeerLink(peer, introduction, {
      connect: this.deps.connect,
      clock: this.deps.clock,
      logger: this.deps.logger,
      random: this.deps.random,
      unreachable: () => this.deps.events.unreachable(peer.id),
    });
  }
}
