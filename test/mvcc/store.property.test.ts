/**
 * The store beside a list of all writes (model.ts), under random requests. If one of these fails, clients read
 * something that was never written, or no longer read what was.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import { decodeKeyValue } from "../../src/mvcc/codec.js";
import type { RevisionRecord } from "../../src/mvcc/contract.js";
import type { RangeRequest, TxnRequest } from "../../src/mvcc/requests.js";
import type { RangeResult, ResponseOp } from "../../src/mvcc/results.js";
import type { MvccStore } from "../../src/mvcc/store.js";
import { deleteRequest, leaseIds, putRequest, rangeRequest, txnRequest } from "./arbitraries.js";
import { type Bench, freshStore, MemoryLeases, range, sliceOf } from "./fakes.js";
import { hashByEtcdsRules } from "./hash-model.js";
import { Model, type ModelPair, type ModelResponse } from "./model.js";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

function pairOf(bytes: Uint8Array): ModelPair {
  const { key, createRevision, modRevision, version, value, lease } = decodeKeyValue(bytes);
  return { key: text(key), create: createRevision, mod: modRevision, version, value: text(value), lease };
}

function rangeOf({ kvs, count, more }: RangeResult): ModelResponse {
  return { kind: "range", kvs: kvs.map(pairOf), count, more };
}

function responseOf(op: ResponseOp): ModelResponse {
  switch (op.kind) {
    case "range":
      return rangeOf(op.result);
    case "put":
      return { kind: "put", prevKv: op.result.prevKv === undefined ? undefined : pairOf(op.result.prevKv) };
    case "deleteRange":
      return { kind: "deleteRange", deleted: op.result.deleted, prevKvs: op.result.prevKvs.map(pairOf) };
    case "txn":
      return {
        kind: "txn",
        succeeded: op.result.succeeded,
        responses: op.result.responses.map(responseOf),
      };
    case "none":
      throw new Error("no such operation was asked for");
  }
}

/** The result, or the code of the failure. */
function outcome<Result>(run: () => Result): Result | string {
  try {
    return run();
  } catch (error) {
    if (error instanceof StoreError) return error.detail.code;
    throw error;
  }
}

/** The same range through slices. */
function drained(store: MvccStore, request: RangeRequest): ModelResponse {
  const cursor = store.openRange(request);
  const kvs: Uint8Array[] = [];
  for (;;) {
    const slice = cursor.next();
    kvs.push(...slice.kvs);
    if (slice.done)
      return rangeOf({ kvs, count: cursor.count, more: cursor.more, revision: cursor.revision });
  }
}

type Step =
  | { readonly kind: "range"; readonly request: RangeRequest }
  | { readonly kind: "put"; readonly request: Parameters<MvccStore["put"]>[0] }
  | { readonly kind: "deleteRange"; readonly request: Parameters<MvccStore["deleteRange"]>[0] }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  | { readonly kind: "expire"; readonly lease: bigint }
  | { readonly kind: "compact"; readonly back: number }
  | { readonly kind: "prune" }
  | { readonly kind: "compactLog" }
  | { readonly kind: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: rangeRequest.map((request): Step => ({ kind: "range", request })) },
  { weight: 8, arbitrary: putRequest.map((request): Step => ({ kind: "put", request })) },
  { weight: 3, arbitrary: deleteRequest.map((request): Step => ({ kind: "deleteRange", request })) },
  { weight: 4, arbitrary: txnRequest.map((request): Step => ({ kind: "txn", request })) },
  { weight: 1, arbitrary: fc.constantFrom(...leaseIds).map((lease): Step => ({ kind: "expire", lease })) },
  { weight: 2, arbitrary: fc.integer({ min: -2, max: 6 }).map((back): Step => ({ kind: "compact", back })) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "prune" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "compactLog" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "restart" }) },
);

/** A store and the model of it. */
class Pairing {
  readonly model = new Model();
  /** Everything that was ever appended: what etcd's hash rules are applied to. */
  readonly written: RevisionRecord[] = [];
  bench: Bench;

  constructor(private readonly journalEntriesMax: number) {
    this.bench = freshStore({ journalEntriesMax });
    for (const lease of leaseIds) {
      this.bench.leases.grant(lease);
      this.model.leases.add(lease);
    }
  }

  run(taken: Step): void {
    const { store, log, leases } = this.bench;
    const { model } = this;
    const appended = log.records.at(-1);
    switch (taken.kind) {
      case "range": {
        const expected = outcome(() => model.range(taken.request));
        expect(outcome(() => rangeOf(store.range(taken.request)))).toEqual(expected);
        expect(outcome(() => drained(store, taken.request))).toEqual(expected);
        break;
      }
      case "put": {
        const run = () => responseOf({ kind: "put", result: store.put(taken.request) });
        expect(outcome(run)).toEqual(outcome(() => model.put(taken.request)));
        break;
      }
      case "deleteRange": {
        const run = () => responseOf({ kind: "deleteRange", result: store.deleteRange(taken.request) });
        expect(outcome(run)).toEqual(outcome(() => model.deleteRange(taken.request)));
        break;
      }
      case "txn": {
        const run = () => responseOf({ kind: "txn", result: store.txn(taken.request) });
        expect(outcome(run)).toEqual(outcome(() => model.txn(taken.request)));
        break;
      }
      case "expire": {
        const keys = [...leases.keys.get(taken.lease)!];
        store.deleteKeys([...keys, "not there"]);
        model.deleteKeys(keys);
        break;
      }
      case "compact": {
        const revision = model.revision - taken.back;
        expect(outcome(() => store.compact(revision))).toEqual(outcome(() => model.compact(revision)));
        break;
      }
      case "prune":
        store.pruneSlice(store.compactedRevision);
        break;
      case "compactLog":
        log.compact((record) => store.isAlive(record, store.compactedRevision));
        return;
      case "restart":
        this.restart();
        return;
    }
    const from = appended === undefined ? 0 : log.records.indexOf(appended) + 1;
    this.written.push(...log.records.slice(from));
  }

  /** A new store from what the log holds, in slices of three. */
  private restart(): void {
    const { store, log } = this.bench;
    const leases = new MemoryLeases();
    for (const lease of leaseIds) leases.grant(lease);
    const next = freshStore({ journalEntriesMax: this.journalEntriesMax }, { log, leases });
    for (let at = 0; at < log.records.length; at += 3)
      next.store.restoreSlice(sliceOf(log.records.slice(at, at + 3)));
    const { revision, compactedRevision } = store;
    next.store.finishRestore({ revision, compactedRevision });
    this.bench = next;
  }

  /** Everything that can be read now is as the model has it. */
  check(): void {
    const { store, log, leases } = this.bench;
    const { model } = this;
    expect(store.revision).toBe(model.revision);
    expect(store.compactedRevision).toBe(model.compacted);
    expect(store.keyCount).toBe(model.at(model.revision).length);
    for (let revision = Math.max(1, model.compacted); revision <= model.revision; revision++) {
      const request = range("\0", "\0", { revision });
      expect(rangeOf(store.range(request))).toEqual(model.range(request));
    }
    for (const lease of leaseIds) {
      const expected = model.at(model.revision).filter((pair) => pair.lease === lease);
      expect([...leases.keys.get(lease)!].sort()).toEqual(expected.map((pair) => pair.key));
    }
    for (let revision = Math.max(0, model.compacted); revision <= model.revision; revision++) {
      const hash = store.openHash(revision);
      hash.feed(log.records);
      const hashRevision = revision === 0 ? model.revision : revision;
      const expected = hashByEtcdsRules(this.written, model.compacted, hashRevision);
      expect(hash.result()).toEqual({ hash: expected, compactRevision: model.compacted, hashRevision });
    }
  }
}

test.each([
  { name: "with a long memory of made and ended keys", journalEntriesMax: 1000 },
  { name: "with next to none", journalEntriesMax: 2 },
])(
  "any sequence of requests, compactions and restarts answers as a list of all writes would, $name",
  ({ journalEntriesMax }) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const pairing = new Pairing(journalEntriesMax);
        for (const taken of steps) pairing.run(taken);
        pairing.check();
      }),
      { numRuns: 400 },
    );
  },
);

test("pruning the index and the log in any order changes nothing that can be read", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 30 }), fc.boolean(), (steps, logFirst) => {
      const pairing = new Pairing(50);
      for (const taken of steps) pairing.run(taken);
      const { store, log } = pairing.bench;
      if (logFirst) log.compact((record) => store.isAlive(record, store.compactedRevision));
      while (store.pruneSlice(store.compactedRevision));
      const alive = log.records.filter((record) => store.isAlive(record, store.compactedRevision));
      if (logFirst) expect(alive).toEqual(log.records);
      log.compact((record) => store.isAlive(record, store.compactedRevision));
      pairing.check();
      pairing.run({ kind: "restart" });
      pairing.check();
    }),
    { numRuns: 200 },
  );
});

test("a transaction that fails leaves no trace", () => {
  fc.assert(
    fc.property(fc.array(putRequest, { maxLength: 10 }), txnRequest, (puts, request) => {
      const pairing = new Pairing(50);
      for (const first of puts) pairing.run({ kind: "put", request: first });
      const { store, log, changes } = pairing.bench;
      const before = {
        revision: store.revision,
        records: log.records.length,
        batches: changes.batches.length,
      };
      const failed = typeof outcome(() => store.txn(request)) === "string";
      fc.pre(failed);
      expect({
        revision: store.revision,
        records: log.records.length,
        batches: changes.batches.length,
      }).toEqual(before);
      pairing.check();
    }),
    { numRuns: 100 },
  );
});
