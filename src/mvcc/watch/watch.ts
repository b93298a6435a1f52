/** One watch: which keys, with which options, and how far it has come. */
import type { Revision } from "../../base/brand.js";
import type { KeySpan } from "../requests.js";
import type { WatchGroup } from "./watch-index.js";
import type { WatchStream } from "./watch-stream.js";

/** An int64 that the client or the server chose. A number where that is exact, so that the usual ones cost nothing. */
export type WatchId = number | bigint;

/** Stands for no watch, or (in a progress notification) for all of a stream; clientv3.InvalidWatchID. */
export const noWatchId = -1;

/** What a client asks for; etcdserverpb.WatchCreateRequest. */
export interface WatchCreate extends KeySpan {
  /** 0: what comes from now on. */
  readonly startRevision: Revision;
  /** 0: the server chooses. */
  readonly watchId: WatchId;
  /** A sum of `WatchOption` values. */
  readonly options: number;
}

/** Bits of `Watch.options`. The first three decide what its events look like on the wire. */
export const WatchOption = { NoPut: 1, NoDelete: 2, PrevKv: 4, Fragment: 8, ProgressNotify: 16 } as const;

/** The bits that two watches must share to share the bytes of their events. */
export const eventOptionsMask = WatchOption.NoPut | WatchOption.NoDelete | WatchOption.PrevKv;

/**
 * live: gets events as they are committed. catchUp: is served from history. parked: would be, but its stream's
 * client is behind. ended: the server ended it (compaction); the id is taken until the client has said so too.
 */
export type WatchPlace = "live" | "catchUp" | "parked" | "ended";

export class Watch {
  place: WatchPlace = "ended";
  /** Where in an index it stands; kept by the index. */
  group: WatchGroup | undefined;
  slot = 0;
  /** True when no event was sent since the last timed progress notification was due. */
  idle = true;

  constructor(
    readonly id: WatchId,
    readonly stream: WatchStream,
    /** Key and range end as in KeySpan, latin1. */
    readonly key: string,
    readonly rangeEnd: string,
    readonly options: number,
    readonly startRevision: Revision,
    /** The oldest revision that it may still have to be told of. Of a live watch it is a lower bound only. */
    public next: Revision,
  ) {}

  has(option: (typeof WatchOption)[keyof typeof WatchOption]): boolean {
    return (this.options & option) !== 0;
  }
}
