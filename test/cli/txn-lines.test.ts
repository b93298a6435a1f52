import { describe, expect, test } from "vitest";
import { CliFailure } from "../../src/cli/failure.js";
import { parseCompare, splitWords } from "../../src/cli/txn-lines.js";
import { Compare_CompareResult, Compare_CompareTarget } from "../../src/gen/etcdserver.js";

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

describe("words of a line", () => {
  test.each([
    ["put a b", ["put", "a", "b"]],
    ["  put\t'a b'  \"c d\" ", ["put", "a b", "c d"]],
    ["put \"q\\tz\\x41\\101\" '\\t'", ["put", "q\tzAA", "\\t"]],
    ['get "\\u00e9"', ["get", "\xc3\xa9"]],
    ['put k "" end', ["put", "k", "", "end"]],
    ["put it's x", ["put", "it's", "x"]],
  ])("%s", (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  test("an escape that Go does not have is bad input", () => {
    expect(() => splitWords('put "a\\q" b')).toThrow(CliFailure);
  });
});

describe("conditions", () => {
  test.each([
    ['ver("k") = "3"', Compare_CompareTarget.VERSION, Compare_CompareResult.EQUAL, "version"],
    ['version("k") = "3"', Compare_CompareTarget.VERSION, Compare_CompareResult.EQUAL, "version"],
    ['c("k") > "3"', Compare_CompareTarget.CREATE, Compare_CompareResult.GREATER, "createRevision"],
    ['create("k") < "3"', Compare_CompareTarget.CREATE, Compare_CompareResult.LESS, "createRevision"],
    ['m("k") != "3"', Compare_CompareTarget.MOD, Compare_CompareResult.NOT_EQUAL, "modRevision"],
    ['mod("k")  =  "3" and more', Compare_CompareTarget.MOD, Compare_CompareResult.EQUAL, "modRevision"],
    ['lease("k") = "3"', Compare_CompareTarget.LEASE, Compare_CompareResult.EQUAL, "lease"],
    ["mod( `k`) = `3`", Compare_CompareTarget.MOD, Compare_CompareResult.EQUAL, "modRevision"],
  ] as const)("%s", (line, target, result, field) => {
    const condition = parseCompare(line);
    expect([condition.target, condition.result, condition.targetUnion, latin1(condition.key)]).toEqual([
      target,
      result,
      { $case: field, value: 3n },
      "k",
    ]);
  });

  test("a value is bytes, with Go's escapes", () => {
    const condition = parseCompare('val("\\xffk") = "a \\"b\\" \\x00"');
    expect([condition.target, latin1(condition.key)]).toEqual([Compare_CompareTarget.VALUE, "\xffk"]);
    expect(condition.targetUnion).toEqual({ $case: "value", value: Buffer.from('a "b" \0', "latin1") });
  });

  // The texts are etcdctl's, except for the unknown operator and lease, where it panics.
  test.each([
    ['mod "a" ~ "0"', 'malformed comparison: mod "a" ~ "0"'],
    ['mod("a") > 0', 'malformed comparison: mod("a") > 0; got mod("a") > ""'],
    ['mod(a) > "0"', 'malformed comparison: mod(a) > "0"; got mod("")  ""'],
    ['val( "a")= "b"', 'malformed comparison: val( "a")= "b"; got val("a")  ""'],
    ['val( "a") ="b"', 'malformed comparison: val( "a") ="b"; got val("a") ="b" ""'],
    ['foo("a") > "0"', 'malformed comparison: foo("a") > "0" (unknown target foo)'],
    ['toString("a") > "0"', 'malformed comparison: toString("a") > "0" (unknown target toString)'],
    ['mod("a") > "x"', 'invalid txn compare request: mod("a") > "x"'],
    ['mod("a") ~ "0"', 'malformed comparison: mod("a") ~ "0" (unknown operator ~)'],
    ['lease("a") = "x"', 'invalid txn compare request: lease("a") = "x"'],
  ])("%s is refused", (line, message) => {
    expect(() => parseCompare(line)).toThrow(message);
  });
});
