/**
 * What is refused before it reaches the log, and in which order. If one of these fails, a client gets another
 * error than etcd gives, or a request that must not be applied is.
 */
import { describe, expect, test } from "vitest";
import { isStoreError, type PlainErrorCode } from "../../src/base/errors.js";
import {
  checkDeleteRange,
  checkPut,
  checkRange,
  checkTxn,
  isTxnReadOnly,
  isTxnSerializable,
} from "../../src/mvcc/checks.js";
import type { RequestOp, TxnRequest } from "../../src/mvcc/requests.js";
import { del, put, range, txn } from "./fakes.js";

function refusal(run: () => void): PlainErrorCode | "accepted" {
  try {
    run();
    return "accepted";
  } catch (error) {
    if (isStoreError(error, (error as { detail?: { code: PlainErrorCode } }).detail?.code ?? "Other")) {
      return error.detail.code as PlainErrorCode;
    }
    throw error;
  }
}

const putOp = (key: string): RequestOp => ({ kind: "put", request: put(key, "v") });
const delOp = (key: string, end = ""): RequestOp => ({ kind: "deleteRange", request: del(key, end) });
const txnOp = (parts: Partial<TxnRequest>): RequestOp => ({ kind: "txn", request: txn(parts) });
const ofBranch = (...success: RequestOp[]) => refusal(() => checkTxn(txn({ success }), 128));

test("single requests", () => {
  expect(refusal(() => checkRange(range("", "", { sortOrder: 9 })))).toBe("EmptyKey");
  expect(refusal(() => checkRange(range("k", "", { sortOrder: 3 })))).toBe("InvalidSortOption");
  expect(refusal(() => checkRange(range("k", "", { sortTarget: 5 })))).toBe("InvalidSortOption");
  expect(refusal(() => checkRange(range("k", "", { sortOrder: 2, sortTarget: 4 })))).toBe("accepted");
  expect(refusal(() => checkPut(put("", "v", { ignoreValue: true })))).toBe("EmptyKey");
  expect(refusal(() => checkPut(put("k", "v", { ignoreValue: true, ignoreLease: true, lease: 1n })))).toBe(
    "ValueProvided",
  );
  expect(refusal(() => checkPut(put("k", "", { ignoreLease: true, lease: 1n })))).toBe("LeaseProvided");
  expect(refusal(() => checkPut(put("k", "", { ignoreValue: true, ignoreLease: true })))).toBe("accepted");
  expect(refusal(() => checkDeleteRange(del("", "z")))).toBe("EmptyKey");
});

describe("a transaction", () => {
  test("counts its longest list, and of nested ones what is left", () => {
    const puts = (count: number) => Array.from({ length: count }, (_, at) => putOp(`k${at}`));
    expect(refusal(() => checkTxn(txn({ success: puts(4), failure: puts(4) }), 4))).toBe("accepted");
    expect(refusal(() => checkTxn(txn({ success: puts(5) }), 4))).toBe("TooManyOps");
    const nested = txn({ success: [txnOp({ failure: puts(3) })] });
    expect(refusal(() => checkTxn(nested, 4))).toBe("accepted");
    expect(refusal(() => checkTxn(nested, 3))).toBe("TooManyOps");
  });

  test("names an empty key of a compare before what is in the branches, and both before duplicates", () => {
    const compare = {
      key: new Uint8Array(0),
      rangeEnd: new Uint8Array(0),
      result: 0,
      target: 0,
      operand: undefined,
    };
    const bad = txn({ compares: [compare], success: [{ kind: "none" }] });
    expect(refusal(() => checkTxn(bad, 128))).toBe("EmptyKey");
    expect(ofBranch(putOp("a"), putOp("a"), { kind: "none" })).toBe("KeyNotFound");
    expect(ofBranch(putOp("a"), putOp("a"))).toBe("DuplicateKey");
  });

  test("may not put a key twice, or put and delete it, in one branch", () => {
    expect(ofBranch(putOp("a"), delOp("a"))).toBe("DuplicateKey");
    expect(ofBranch(delOp("a", "c"), putOp("b"))).toBe("DuplicateKey");
    expect(ofBranch(delOp("a", "b"), putOp("b"))).toBe("accepted");
    expect(ofBranch(delOp("a", "b"), delOp("c", "d"), delOp("d", "e"), delOp("a", "c"), putOp("dd"))).toBe(
      "DuplicateKey",
    );
    expect(ofBranch(delOp("a", "b"), delOp("c", "d"), putOp("b"), putOp("bz"), putOp("d"))).toBe("accepted");
    expect(ofBranch(delOp("a"), delOp("a", "z"))).toBe("accepted");
    expect(refusal(() => checkTxn(txn({ success: [putOp("a")], failure: [putOp("a")] }), 9))).toBe(
      "accepted",
    );
    expect(refusal(() => checkTxn(txn({ failure: [putOp("a"), putOp("a")] }), 9))).toBe("DuplicateKey");
  });

  test("sees through nested transactions: their branches exclude each other, siblings do not", () => {
    const either = txnOp({ success: [putOp("a")], failure: [putOp("a")] });
    expect(ofBranch(either)).toBe("accepted");
    expect(ofBranch(either, putOp("a"))).toBe("DuplicateKey");
    expect(ofBranch(either, either)).toBe("DuplicateKey");
    expect(ofBranch(txnOp({ failure: [putOp("a")] }), delOp("a"))).toBe("DuplicateKey");
    expect(ofBranch(txnOp({ failure: [delOp("a", "b")] }), putOp("a"))).toBe("DuplicateKey");
    expect(ofBranch(txnOp({ success: [delOp("a")] }), txnOp({ success: [putOp("a")] }))).toBe("DuplicateKey");
  });

  test("has etcd's two gaps: an open-ended delete, and a nested delete after a nested put", () => {
    expect(ofBranch(delOp("a", "\0"), putOp("b"))).toBe("accepted");
    expect(ofBranch(txnOp({ success: [putOp("a")] }), txnOp({ success: [delOp("a")] }))).toBe("accepted");
  });

  test("with tens of thousands of spans and keys is checked in a moment", () => {
    const ops: RequestOp[] = [];
    for (let number = 0; number < 50_000; number++)
      ops.push(delOp(`d${number}`, `d${number}~`), putOp(`p${number}`));
    const start = performance.now();
    expect(refusal(() => checkTxn(txn({ success: ops }), 100_000))).toBe("accepted");
    expect(performance.now() - start).toBeLessThan(8_000);
  });

  test("is read-only, or serializable, only where every operation is", () => {
    const read: RequestOp = { kind: "range", request: range("a") };
    const local: RequestOp = { kind: "range", request: range("a", "", { serializable: true }) };
    expect(isTxnReadOnly(txn({ success: [read], failure: [local] }))).toBe(true);
    expect(isTxnReadOnly(txn({ success: [read], failure: [putOp("a")] }))).toBe(false);
    expect(isTxnReadOnly(txn({ success: [txnOp({ success: [read] })] }))).toBe(false);
    expect(isTxnSerializable(txn({ success: [local], failure: [read] }))).toBe(false);
    expect(isTxnSerializable(txn({ success: [local], failure: [local] }))).toBe(true);
    expect(isTxnSerializable(txn({ success: [], failure: [] }))).toBe(false);
  });
});
