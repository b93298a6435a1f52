/**
 * How fast the hub tells watches of what was written, with everything up to the bytes that a transport takes, on
 * its own: what sockets and clients cost comes on top.
 */
import { latin1ToBytes, partsBytes } from "../../src/base/bytes.js";
import type { RevisionHistory, RevisionLog, RevisionRecord } from "../../src/mvcc/contract.js";
import { locateEach, type ReadBatch, type ReadBudget } from "../../src/mvcc/read-batch.js";
import { MvccStore } from "../../src/mvcc/store.js";
import { encodeWatchEvents } from "../../src/mvcc/watch/codec.js";
import type { EncodedEvents } from "../../src/mvcc/watch/event-batch.js";
import type { Watch, WatchCreate } from "../../src/mvcc/watch/watch.js";
import { WatchHub } from "../../src/mvcc/watch/watch-hub.js";
import type { WatchOutlet, WatchStream } from "../../src/mvcc/watch/watch-stream.js";
import type { Figure } from "./mvcc.js";

class BenchLog implements RevisionLog, RevisionHistory {
  readonly loadedBytes = 0;
  private readonly records: RevisionRecord[] = [];

  read(main: number): Uint8Array {
    return this.records[main - 2]!.keyValue;
  }

  locate(batch: ReadBatch, budget: ReadBudget): void {
    locateEach(batch, budget, { log: this, bytesOf: (at) => this.read(batch.mains[at]!) });
  }

  append(main: number, sub: number, tombstone: boolean, keyValue: Uint8Array): void {
    this.records.push({ main, sub, tombstone, keyValue });
  }

  walk(fromMain: number, visit: (record: RevisionRecord) => boolean): void {
    for (let at = fromMain - 2; at < this.records.length; at++) if (!visit(this.records[at]!)) return;
  }
}

const ids = { clusterId: 0xcafen, memberId: 0xbeefn, raftTerm: 7 };
const noLeases = { exists: () => false, attach: () => {}, detach: () => {} };

/** Takes everything, as a client that always reads. */
class Sink implements WatchOutlet {
  count = 0;
  bytes = 0;

  events(watch: Watch, events: EncodedEvents, revision: number): boolean {
    const header = { clusterId: ids.clusterId, memberId: ids.memberId, revision, raftTerm: ids.raftTerm };
    this.bytes += partsBytes(encodeWatchEvents(header, watch.id, events, false));
    this.count += events.count;
    return true;
  }

  compacted(): boolean {
    return true;
  }

  progress(): boolean {
    return true;
  }
}

class Bench {
  readonly sink = new Sink();
  readonly hub: WatchHub;
  readonly store: MvccStore;
  woken = false;

  constructor() {
    const log = new BenchLog();
    this.hub = new WatchHub({
      source: () => ({ store: this.store, history: log, readable: true }),
      wake: () => {
        this.woken = true;
      },
    });
    this.store = new MvccStore({}, { log, leases: noLeases, changes: this.hub });
    this.hub.deliver();
  }

  streams(count: number): readonly WatchStream[] {
    return Array.from({ length: count }, () => this.hub.open(this.sink));
  }

  put(key: string): void {
    const common = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
    this.store.put({ key: latin1ToBytes(key), value, ...common });
  }

  /** A turn of the core ended; what is left of it follows. */
  turn(): void {
    this.hub.deliver();
    this.settle();
  }

  settle(): void {
    while (this.woken) {
      this.woken = false;
      this.hub.catchUp();
    }
  }
}

const value = new Uint8Array(32);

function create(key: string, more: Partial<WatchCreate> = {}): WatchCreate {
  const common = { rangeEnd: new Uint8Array(0), startRevision: 0, watchId: 0, options: 0 };
  return { ...common, ...more, key: latin1ToBytes(key) };
}

function seconds(run: () => void): number {
  const start = performance.now();
  run();
  return (performance.now() - start) / 1_000;
}

/** 10 streams of 100 watches on one key, as `benchmark watch` of etcd; `putsPerTurn` arrive together. */
function fanOut(streams: number, watches: number, puts: number, putsPerTurn: number): number {
  const bench = new Bench();
  for (const stream of bench.streams(streams)) for (let n = 0; n < watches; n++) stream.create(create("key"));
  const took = seconds(() => {
    for (let n = 0; n < puts; n++) {
      bench.put("key");
      if ((n + 1) % putsPerTurn === 0) bench.turn();
    }
    bench.turn();
  });
  return bench.sink.count / took;
}

/** A watch for each of many keys, and puts to random ones of them: what it costs to find the watch. */
function findOne(watches: number, prefixes: boolean): number {
  const bench = new Bench();
  const [stream] = bench.streams(1);
  for (let n = 0; n < watches; n++) {
    const rangeEnd = prefixes ? latin1ToBytes(`${keyOf(n)}0`) : new Uint8Array(0);
    stream!.create(create(`${keyOf(n)}/`, { rangeEnd }));
  }
  const puts = 100_000;
  const took = seconds(() => {
    for (let n = 0; n < puts; n++) {
      bench.put(`${keyOf(Math.imul(n, 0x9e37) % watches)}/`);
      bench.hub.deliver();
    }
  });
  return (took * 1_000_000) / puts;
}

function keyOf(number: number): string {
  return `/bench/watch/${String(Math.abs(number)).padStart(8, "0")}`;
}

/** History of one key, read by watches that all begin at its first revision. */
function catchUp(watches: number, revisions: number): number {
  const bench = new Bench();
  for (let n = 0; n < revisions; n++) bench.put("key");
  const [stream] = bench.streams(1);
  for (let n = 0; n < watches; n++) stream!.create(create("key", { startRevision: 2 }));
  const took = seconds(() => bench.settle());
  return bench.sink.count / took;
}

/** Heap bytes of one watch, with its key of 21 bytes, that waits. */
function memoryPerWatch(watches: number, keyFor: (number: number) => string): number {
  const bench = new Bench();
  const [stream] = bench.streams(1);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < watches; n++) stream!.create(create(keyFor(n)));
  globalThis.gc?.();
  const bytes = process.memoryUsage().heapUsed - before;
  // The hub must still be there when its memory is measured.
  return bytes / bench.hub.watchCount;
}

/** The figures; memory is true only under --expose-gc. */
export function run(): Figure[] {
  fanOut(10, 100, 2_000, 1);
  return [
    {
      name: "10 streams × 100 watches of one key, a put a turn",
      value: fanOut(10, 100, 5_000, 1),
      unit: "events/s",
    },
    { name: "the same, 10 puts a turn", value: fanOut(10, 100, 20_000, 10), unit: "events/s" },
    { name: "one key with 10,000 watchers", value: fanOut(1, 10_000, 300, 1), unit: "events/s" },
    { name: "put and tell, 1 watch", value: findOne(1, false), unit: "µs" },
    { name: "put and tell, 100,000 watches of a key each", value: findOne(100_000, false), unit: "µs" },
    { name: "put and tell, 100,000 watches of a prefix each", value: findOne(100_000, true), unit: "µs" },
    { name: "100 watches read 100,000 revisions of history", value: catchUp(100, 100_000), unit: "events/s" },
    { name: "memory of a watch of its own key", value: memoryPerWatch(100_000, keyOf), unit: "bytes" },
    {
      name: "memory of a watch of a shared key",
      value: memoryPerWatch(100_000, () => keyOf(1)),
      unit: "bytes",
    },
  ];
}
