/** Random requests over few keys, so that they meet. */
import fc from "fast-check";
import type {
  Compare,
  CompareOperand,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../src/mvcc/requests.js";
import { del, put, range, txn } from "./fakes.js";

export const leaseIds = [7n, 0x7fff_ffff_ffff_fff1n] as const;

const keyText = fc.constantFrom("a", "a\0", "ab", "b", "b\xff", "c", "d", "\xff", "\xff\xff");
const endText = fc.oneof({ weight: 3, arbitrary: fc.constant("") }, fc.constant("\0"), keyText);
const valueText = fc.constantFrom("", "x", "y", "value", "\0\x80\xff");
const lease = fc.constantFrom(0n, 0n, 0n, ...leaseIds, 99n);
/** Revisions near those that a short run reaches, the far future among them. */
const revision = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  fc.integer({ min: -1, max: 40 }),
  fc.constant(1e12),
);
const bound = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 30 }));

export const rangeRequest: fc.Arbitrary<RangeRequest> = fc
  .record({
    key: keyText,
    end: endText,
    limit: fc.integer({ min: -1, max: 4 }),
    revision,
    sortOrder: fc.integer({ min: 0, max: 2 }),
    sortTarget: fc.integer({ min: 0, max: 4 }),
    keysOnly: fc.boolean(),
    countOnly: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
    minModRevision: bound,
    maxModRevision: bound,
    minCreateRevision: bound,
    maxCreateRevision: bound,
  })
  .map(({ key, end, ...more }) => range(key, end, more));

export const putRequest: fc.Arbitrary<PutRequest> = fc
  .record({
    key: keyText,
    value: valueText,
    lease,
    prevKv: fc.boolean(),
    ignore: fc.constantFrom("nothing", "nothing", "nothing", "value", "lease", "both"),
  })
  .map(({ key, value, lease: given, prevKv, ignore }) => {
    const ignoreValue = ignore === "value" || ignore === "both";
    const ignoreLease = ignore === "lease" || ignore === "both";
    return put(key, ignoreValue ? "" : value, {
      prevKv,
      ignoreValue,
      ignoreLease,
      lease: ignoreLease ? 0n : given,
    });
  });

export const deleteRequest: fc.Arbitrary<DeleteRangeRequest> = fc
  .tuple(keyText, endText, fc.boolean())
  .map(([key, end, prevKv]) => del(key, end, prevKv));

const operandOf = (target: number): fc.Arbitrary<CompareOperand> => {
  if (target === 3) return valueText.map((value) => ({ kind: "value", value: Buffer.from(value, "latin1") }));
  if (target === 4) return lease.map((value) => ({ kind: "lease", value }));
  const kind = (["version", "create", "mod"] as const)[target]!;
  return fc.integer({ min: 0, max: 12 }).map((value) => ({ kind, value }));
};

export const compare: fc.Arbitrary<Compare> = fc.integer({ min: 0, max: 4 }).chain((target) =>
  fc
    .record({
      key: keyText,
      end: endText,
      result: fc.integer({ min: 0, max: 3 }),
      operand: operandOf(target),
    })
    .map(({ key, end, result, operand }) => ({
      key: Buffer.from(key, "latin1"),
      rangeEnd: Buffer.from(end, "latin1"),
      result,
      target,
      operand,
    })),
);

/** Operations of every kind; `depth` levels of transactions inside. What checks.ts would refuse is among them. */
function opOf(depth: number): fc.Arbitrary<RequestOp> {
  const plain: fc.Arbitrary<RequestOp>[] = [
    rangeRequest.map((request) => ({ kind: "range", request })),
    putRequest.map((request) => ({ kind: "put", request })),
    deleteRequest.map((request) => ({ kind: "deleteRange", request })),
  ];
  if (depth > 0) plain.push(txnOf(depth - 1).map((request) => ({ kind: "txn", request })));
  return fc.oneof(...plain);
}

function txnOf(depth: number): fc.Arbitrary<TxnRequest> {
  return fc
    .record({
      compares: fc.array(compare, { maxLength: 2 }),
      success: fc.array(opOf(depth), { maxLength: 4 }),
      failure: fc.array(opOf(depth), { maxLength: 4 }),
    })
    .map(txn);
}

export const txnRequest: fc.Arbitrary<TxnRequest> = txnOf(2);
