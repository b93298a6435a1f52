import fc from "fast-check";
import { expect, test } from "vitest";
import { limits } from "../../src/base/limits.js";
import { compare, del, get, put, type RequestOp } from "../../src/client/index.js";
import { TxnBuilder } from "../../src/client/txn.js";
import { encodeTxnRequest } from "../../src/client/txn-codec.js";
import { TxnRequest } from "../../src/gen/etcdserver.js";

const neverSent = () => Promise.reject(new Error("not sent in this test"));

test("a compare with the empty value still says that it is about the value", () => {
  const request = TxnRequest.create({ compare: [compare("k", "value", "=", "")] });
  const bytes = [...encodeTxnRequest(request)];
  // Field 7 of the compare, length 0: without it a server holds every value equal.
  expect(bytes.slice(-2)).toEqual([0x3a, 0x00]);
});

test("other transactions are encoded as the generated codec encodes them", () => {
  const text = fc.string({ minLength: 1, maxLength: 6 });
  const operation = fc.oneof(
    text.map((key) => get(key, { prefix: true, limit: 3 })),
    fc.tuple(text, fc.string()).map(([key, value]) => put(key, value, { lease: 7n })),
    text.map((key) => del(key, { prevKv: true })),
  );
  const condition = fc.oneof(
    fc.tuple(text, fc.bigInt(-1n, 1n << 62n)).map(([key, n]) => compare(key, "mod", ">", n)),
    fc.tuple(text, text).map(([key, value]) => compare(key, "value", "!=", value)),
  );
  const request = fc.record({
    compare: fc.array(condition),
    success: fc.array(operation),
    failure: fc.array(operation),
  });
  fc.assert(
    fc.property(request, request, (outer, inner) => {
      const nested: RequestOp = { request: { $case: "requestTxn", value: TxnRequest.create(inner) } };
      const whole = TxnRequest.create({ ...outer, success: [...outer.success, nested] });
      expect([...encodeTxnRequest(whole)]).toEqual([...TxnRequest.encode(whole).finish()]);
    }),
    { numRuns: 50 },
  );
});

test("transactions that nest without end are refused, not recursed into", () => {
  let builder = new TxnBuilder(neverSent);
  for (let depth = 0; depth <= limits.txnDepthMax; depth++) {
    builder = new TxnBuilder(neverSent).then(builder.asOperation());
  }
  const { request } = builder.asOperation();
  const nested = request?.$case === "requestTxn" ? request.value : expect.unreachable();
  expect(() => encodeTxnRequest(nested)).toThrow(`nest deeper than ${limits.txnDepthMax}`);
});

test("awaiting a builder instead of committing it fails with a hint, and does not hang", async () => {
  const builder: PromiseLike<unknown> = new TxnBuilder(neverSent) as never;
  await expect(async () => await builder).rejects.toThrow("end it with .commit()");
});
