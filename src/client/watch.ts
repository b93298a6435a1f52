/**
 * The watches of a client: many on one stream. When it breaks, each is asked for again on the next one, at the
 * revision after the last that it saw.
 *
 * Watch ids are the server's. Requests to create are answered in their order, so `creating` says whose answer
 * comes next. Every watch asks for fragments and progress: the first keeps answers small, the second moves
 * the place to resume at forward where nothing happens, so that a compaction does not pass it by.
 */
import { limits } from "../base/limits.js";
import { WatchCreateRequest_FilterType, WatchRequest, WatchResponse } from "../gen/etcdserver.js";
import { type BytesLike, type IntegerLike, type RangeOptions, toKeyRange } from "./bytes.js";
import type { Connection } from "./connection.js";
import { type QuorateClientError, watchCanceled } from "./errors.js";
import { LastingStream } from "./lasting-stream.js";
import { clientMethod } from "./method.js";
import { Watcher, type WatcherOwner } from "./watcher.js";

const watchMethod = clientMethod("/etcdserverpb.Watch/Watch", "read", WatchRequest, WatchResponse);

export interface WatchOptions extends RangeOptions {
  /** The first revision to see. In the past: history comes first. Default: what happens from now on. */
  readonly startRevision?: IntegerLike | undefined;
  /** Events have what the key held before. */
  readonly prevKv?: boolean | undefined;
  /** Leave out all events of this type. */
  readonly without?: "put" | "delete" | undefined;
  /** Tell from time to time (etcd: 10 minutes) how far the watch has seen, where there are no events that do. */
  readonly progressNotify?: boolean | undefined;
  /** Aborting it ends the watch: its loop throws `QuorateClientError` Canceled. */
  readonly signal?: AbortSignal | undefined;
}

const filters = { put: WatchCreateRequest_FilterType.NOPUT, delete: WatchCreateRequest_FilterType.NODELETE };

/** The id of answers that are about the whole stream. */
const wholeStreamId = -1n;

export class Watches implements WatcherOwner {
  /** All that have not ended, in the order in which they were made; each either in one of the next two or parked. */
  private readonly all = new Set<Watcher>();
  /** Asked for and not answered yet; may hold watches that have ended since. */
  private creating: Watcher[] = [];
  private readonly live = new Map<bigint, Watcher>();
  private readonly idOf = new Map<Watcher, bigint>();
  private readonly parked = new Set<Watcher>();
  private progressRequests = 0;
  private tokenRefusals = 0;
  private readonly stream: LastingStream<WatchRequest, WatchResponse>;

  constructor(connection: Connection) {
    this.stream = new LastingStream(connection, watchMethod, {
      onOpen: () => this.askForAll(),
      onMessage: (response) => this.receive(response),
      onBroken: () => this.forgetStream(),
      onFailed: (error) => this.failAll(error),
    });
  }

  /** Begins to watch a key or a range. The server is asked at once; `ready()` of the watcher tells when it began. */
  watch(key: BytesLike, options: WatchOptions = {}): Watcher {
    const request = {
      ...toKeyRange(key, options),
      progressNotify: true,
      filters: options.without === undefined ? [] : [filters[options.without]],
      prevKv: options.prevKv === true,
      fragment: true,
    };
    const startRevision = BigInt(options.startRevision ?? 0);
    const wantsProgress = options.progressNotify === true;
    const watcher = new Watcher({ request, startRevision, wantsProgress, signal: options.signal }, this);
    if (options.signal?.aborted === true) {
      watcher.abort();
      return watcher;
    }
    this.all.add(watcher);
    this.ask(watcher);
    this.stream.start();
    return watcher;
  }

  /**
   * Asks how far all watches have seen. When none of them lags, each gets a batch without events. No answer comes
   * for a request that a broken stream took with it, nor while a watch is still reading history.
   */
  requestProgress(): void {
    const sent = this.stream.send({ requestUnion: { $case: "progressRequest", value: {} } });
    if (sent) this.progressRequests++;
  }

  park(watcher: Watcher): void {
    this.parked.add(watcher);
    this.cancelAtServer(watcher);
  }

  unpark(watcher: Watcher): void {
    this.parked.delete(watcher);
    this.ask(watcher);
  }

  ended(watcher: Watcher): void {
    this.all.delete(watcher);
    this.parked.delete(watcher);
    this.cancelAtServer(watcher);
    if (this.all.size > 0) return;
    this.forgetStream();
    this.stream.stop();
  }

  private ask(watcher: Watcher): void {
    const { request } = watcher.options;
    const value = { ...request, startRevision: watcher.nextRevision, watchId: 0n };
    if (this.stream.send({ requestUnion: { $case: "createRequest", value } })) this.creating.push(watcher);
  }

  private cancelAtServer(watcher: Watcher): void {
    const watchId = this.idOf.get(watcher);
    if (watchId === undefined) return;
    this.idOf.delete(watcher);
    this.live.delete(watchId);
    this.stream.send({ requestUnion: { $case: "cancelRequest", value: { watchId } } });
  }

  private askForAll(): void {
    for (const watcher of this.all) if (!this.parked.has(watcher)) this.ask(watcher);
  }

  private forgetStream(): void {
    for (const watcher of this.live.values()) watcher.interrupted();
    this.creating = [];
    this.live.clear();
    this.idOf.clear();
    this.progressRequests = 0;
  }

  private failAll(error: QuorateClientError): void {
    this.forgetStream();
    for (const watcher of [...this.all]) watcher.fail(error);
  }

  private receive(response: WatchResponse): void {
    if (response.created) {
      this.answerCreate(response);
      return;
    }
    if (response.watchId === wholeStreamId) {
      if (this.progressRequests === 0 || response.canceled) return;
      this.progressRequests--;
      for (const watcher of this.live.values()) watcher.progressed(response.header!);
      return;
    }
    const watcher = this.live.get(response.watchId);
    // What was under way when a watch ended.
    if (watcher === undefined) return;
    if (!response.canceled) {
      watcher.receive(response);
      return;
    }
    this.live.delete(response.watchId);
    this.idOf.delete(watcher);
    watcher.fail(watchCanceled(response));
  }

  private answerCreate(response: WatchResponse): void {
    const watcher = this.creating.shift();
    if (watcher === undefined) return;
    if (response.canceled) {
      if (!watcher.hasEnded) this.refused(watcher, response);
      return;
    }
    this.tokenRefusals = 0;
    this.live.set(response.watchId, watcher);
    this.idOf.set(watcher, response.watchId);
    if (watcher.hasEnded) this.cancelAtServer(watcher);
    else watcher.created(response.header!.revision);
  }

  /** A token that has expired shows here first, as the stream itself was let in with it. */
  private refused(watcher: Watcher, response: WatchResponse): void {
    const isToken = /invalid auth token|revision of auth store is old/.test(response.cancelReason);
    const mayRenew = isToken && this.tokenRefusals < limits.clientTokenRefusalsMax;
    if (mayRenew && this.stream.renewToken()) this.tokenRefusals++;
    else watcher.fail(watchCanceled(response));
  }
}
