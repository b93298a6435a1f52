/**
 * Watches that are served from history, in slices: one walk over some revisions serves all that wait for them.
 *
 * Two lanes. A watch close to the present has the next slice, so that one that stumbled is back at once. For the
 * others a sweep goes from the oldest revision that one of them waits for up to the present, and takes along
 * whoever it meets; who joins behind it waits for the next sweep. So every watch is served within two sweeps, and
 * history is read once a sweep however many wait.
 *
 * The seam to the present: a slice ends at a revision border, all of its events are given or none, and `next`
 * becomes the revision after it. When that is above the store's, the watch is live: nothing was committed since.
 */
import type { Revision } from "../../base/brand.js";
import { limits } from "../../base/limits.js";
import type { RevisionHistory } from "../contract.js";
import { encodeDeleted, storedKey, storedKeyBytes } from "../key-value.js";
import type { MvccStore } from "../store.js";
import { EventBatch, type WatchedWrite } from "./event-batch.js";
import { eventOptionsMask, type Watch } from "./watch.js";
import { type WatchGroup, WatchIndex } from "./watch-index.js";

/** What watches are served from. */
export interface WatchSource {
  readonly store: MvccStore;
  readonly history: RevisionHistory;
  /** False while a snapshot takes the place of the store: then nothing is read. */
  readonly readable: boolean;
}

export interface CatchUpHost {
  /** False when this step has sent enough: the watch is to be served by the next one. */
  maySend(): boolean;
  /** The stream of the watch has no room. */
  park(watch: Watch): void;
  /** The watch has got everything. */
  promote(watch: Watch): void;
  /** The watch waits for what is gone. */
  endCompacted(watch: Watch, compactRevision: Revision): void;
}

export class CatchUp {
  private readonly index = new WatchIndex();
  private readonly watches = new Set<Watch>();
  /** Where the sweep goes on. */
  private sweep: Revision = 0;

  constructor(private readonly host: CatchUpHost) {}

  get size(): number {
    return this.watches.size;
  }

  add(watch: Watch): void {
    this.index.add(watch);
    this.watches.add(watch);
  }

  remove(watch: Watch): void {
    this.index.remove(watch);
    this.watches.delete(watch);
  }

  /** A slice of each lane. */
  step(source: WatchSource): void {
    this.endCompacted(source.store.compactedRevision);
    const { near, far } = this.positions(source.store.revision - limits.watchNearRevisions);
    if (near !== undefined) this.slice(source, near);
    if (far !== undefined) this.sweep = this.slice(source, far) + 1;
  }

  private endCompacted(compactRevision: Revision): void {
    for (const watch of this.watches) {
      if (watch.next >= compactRevision) continue;
      if (watch.stream.behind) this.host.park(watch);
      else this.host.endCompacted(watch, compactRevision);
    }
  }

  /** Where the next slices begin. */
  private positions(farMax: Revision): { near: Revision | undefined; far: Revision | undefined } {
    let near: Revision | undefined;
    let ahead: Revision | undefined;
    let oldest: Revision | undefined;
    for (const { next } of this.watches) {
      if (next > farMax) {
        if (near === undefined || next < near) near = next;
        continue;
      }
      if (oldest === undefined || next < oldest) oldest = next;
      if (next >= this.sweep && (ahead === undefined || next < ahead)) ahead = next;
    }
    return { near, far: ahead ?? oldest };
  }

  /** Serves everyone who waits for a revision of the slice that begins at `from`; answers its last revision. */
  private slice(source: WatchSource, from: Revision): Revision {
    const { groups, to } = this.collect(source, from);
    const held = new Set<Watch>();
    for (const group of groups) this.send(source.store, group, { from, to }, held);
    for (const watch of this.watches) {
      if (watch.next < from || watch.next > to || held.has(watch)) continue;
      watch.next = to + 1;
      if (to === source.store.revision) this.host.promote(watch);
    }
    return to;
  }

  /** Reads a slice, of whole revisions, and puts its writes to the groups that watch them. */
  private collect(
    { store, history }: WatchSource,
    from: Revision,
  ): { readonly groups: readonly WatchGroup[]; readonly to: Revision } {
    const groups: WatchGroup[] = [];
    let to = store.revision;
    let main = from;
    let records = 0;
    let bytes = 0;
    let write: WatchedWrite | undefined;
    history.walk(from, (record) => {
      if (record.main !== main && (records >= limits.sliceKeysMax || bytes >= limits.watchSliceBytes)) {
        to = record.main - 1;
        return false;
      }
      main = record.main;
      records++;
      bytes += record.keyValue.length;
      write = undefined;
      const key = storedKey(record.keyValue);
      this.index.visit(key, (group) => {
        write ??= writeOf(record.tombstone, key, record.keyValue, record.main);
        if (group.writes.length === 0) groups.push(group);
        group.writes.push(write);
      });
      return true;
    });
    return { groups, to };
  }

  private send(
    store: MvccStore,
    group: WatchGroup,
    { from, to }: { readonly from: Revision; readonly to: Revision },
    held: Set<Watch>,
  ): void {
    const batch = new EventBatch(group.writes, (write) => previousPair(store, write));
    group.writes = [];
    for (let at = group.watches.length - 1; at >= 0; at--) {
      const watch = group.watches[at]!;
      if (watch.next < from || watch.next > batch.lastRevision) continue;
      const events = batch.eventsFor(watch.next, watch.options & eventOptionsMask);
      if (events === undefined) continue;
      if (watch.stream.behind) this.host.park(watch);
      else if (this.host.maySend()) watch.stream.give(watch, events, to);
      else held.add(watch);
    }
  }
}

/** A tombstone is stored as the key alone; its event names the revision too. */
function writeOf(tombstone: boolean, key: string, stored: Uint8Array, main: Revision): WatchedWrite {
  if (!tombstone) return { kind: "put", key, keyValue: stored, main };
  return { kind: "delete", key, keyValue: encodeDeleted(storedKeyBytes(stored), main), main };
}

/** As a read at the revision before would answer: nothing where that is compacted. */
function previousPair(store: MvccStore, { key, main }: WatchedWrite): Uint8Array | undefined {
  if (main - 1 < store.compactedRevision) return undefined;
  const previous = store.index.get(key, main - 1);
  return previous === undefined ? undefined : store.log.read(previous.main, previous.sub);
}
