/**
 * Links to members that speak to this one before its own log tells of them: it lags behind the entry that added
 * them, or its log is still empty. Without an answer a new member that leads could never bring it up to date
 * (etcd: rafthttp's "remotes"). The URLs are those that the visitor itself names when it opens its stream.
 *
 * A visitor is linked for as long as it holds a stream open to this member, at the longest until the list of
 * members tells of it, or of its removal. It is counted nowhere, and is not asked who else is a member.
 */
import type { MemberId } from "../../base/brand.js";
import { limits } from "../../base/limits.js";
import type { Logger } from "../../base/logger.js";
import type { Peer } from "../../ports/peer-transport.js";
import type { PeerLink } from "./peer-link.js";

export interface VisitorsDeps {
  readonly open: (peer: Peer) => PeerLink;
  readonly isRemoved: (id: MemberId) => boolean;
  readonly logger: Logger;
}

interface Visit {
  link: PeerLink;
  /** Streams that the visitor holds open to this member: for a moment two, when it dials again. */
  streams: number;
}

export class Visitors {
  private readonly visits = new Map<MemberId, Visit>();

  constructor(private readonly deps: VisitorsDeps) {}

  /** `peer` has opened a stream; the result is to be called when that ends. */
  meet(peer: Peer): () => void {
    if (peer.urls.length === 0 || this.deps.isRemoved(peer.id)) return () => {};
    const visit = this.visits.get(peer.id) ?? this.begin(peer);
    if (visit === undefined) return () => {};
    if (visit.link.urls.join() !== peer.urls.join()) {
      visit.link.close();
      visit.link = this.deps.open(peer);
    }
    visit.streams++;
    return () => {
      visit.streams--;
      if (visit.streams === 0 && this.visits.get(peer.id) === visit) this.end(peer.id, visit);
    };
  }

  linkTo(id: MemberId): PeerLink | undefined {
    return this.visits.get(id)?.link;
  }

  /** The list of members tells of `id` now: its link goes over to the caller. */
  handOver(id: MemberId): PeerLink | undefined {
    const link = this.linkTo(id);
    this.visits.delete(id);
    return link;
  }

  dropRemoved(): void {
    for (const [id, visit] of this.visits) if (this.deps.isRemoved(id)) this.end(id, visit);
  }

  close(): void {
    for (const [id, visit] of this.visits) this.end(id, visit);
  }

  private begin(peer: Peer): Visit | undefined {
    const fields = { "remote-peer-id": peer.id.toString(16), "remote-peer-urls": peer.urls };
    if (this.visits.size >= limits.peerVisitorsMax) {
      this.deps.logger.warn(caller, "too many peers that the member list does not know", fields);
      return undefined;
    }
    this.deps.logger.info(caller, "answering a peer that the member list does not know yet", fields);
    const visit = { link: this.deps.open(peer), streams: 0 };
    this.visits.set(peer.id, visit);
    return visit;
  }

  private end(id: MemberId, visit: Visit): void {
    visit.link.close();
    this.visits.delete(id);
  }
}

const caller = "transport/peer";
