/** Texts of Go's standard library that etcdctl's users see; the expected ones were taken from Go. */
import { describe, expect, test } from "vitest";
import {
  formatDuration,
  hexId,
  humanBytes,
  jsonText,
  quoteBytes,
  quoteText,
} from "../../src/cli/go-format.js";
import { parseGoBool, parseGoDuration, parseGoInt, parseGoUint } from "../../src/cli/go-values.js";

describe("reading", () => {
  test.each([
    ["10", 10n],
    ["-1", -1n],
    ["+7", 7n],
    ["0x1F", 31n],
    ["0b101", 5n],
    ["0o17", 15n],
    ["017", 15n],
    ["1_000", 1000n],
    ["0", 0n],
    ["-9223372036854775808", -(2n ** 63n)],
  ])("integer %s", (text, value) => {
    expect(parseGoInt(text, 0)).toBe(value);
  });

  test.each(["", "-", "x", "1.5", "_1", "1_", "1__0", "08", "0x", "１"])("no integer: %j", (text) => {
    expect(() => parseGoInt(text, 0)).toThrow(
      `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  });

  test("hexadecimal ids, and what is out of range", () => {
    expect(parseGoInt("1234abcd", 16)).toBe(0x1234abcdn);
    expect(parseGoUint("ffffffffffffffff", 16)).toBe(2n ** 64n - 1n);
    expect(() => parseGoUint("-1", 16)).toThrow('strconv.ParseUint: parsing "-1": invalid syntax');
    expect(() => parseGoInt("8000000000000000", 16)).toThrow(
      'strconv.ParseInt: parsing "8000000000000000": value out of range',
    );
  });

  test.each([
    ["1h2m3.5s", 3_723_500],
    ["300ms", 300],
    ["1.5s", 1_500],
    [".5m", 30_000],
    ["1us", 0.001],
    ["1µs", 0.001],
    ["0", 0],
    ["-2s", -2_000],
  ])("duration %s", (text, ms) => {
    expect(parseGoDuration(text)).toBeCloseTo(ms, 9);
  });

  test.each([
    ["", 'time: invalid duration ""'],
    ["5", 'time: missing unit in duration "5"'],
    ["5x", 'time: unknown unit "x" in duration "5x"'],
    ["s", 'time: invalid duration "s"'],
    [".s", 'time: invalid duration ".s"'],
    ["3000000h", 'time: invalid duration "3000000h"'],
  ])("no duration: %j", (text, message) => {
    expect(() => parseGoDuration(text)).toThrow(message);
  });

  test("booleans in all their spellings", () => {
    expect(["1", "t", "TRUE", "True"].map(parseGoBool)).toEqual([true, true, true, true]);
    expect(["0", "f", "FALSE", "False"].map(parseGoBool)).toEqual([false, false, false, false]);
    expect(() => parseGoBool("yes")).toThrow('strconv.ParseBool: parsing "yes": invalid syntax');
  });
});

describe("writing", () => {
  test("%q of bytes that are not all text", () => {
    const bytes = Buffer.concat([
      Buffer.from("x\0"),
      Uint8Array.of(0xff),
      Buffer.from('\x01\x7f\u00ad\u200b日本😀\ue000"\\\t\v\u{e0001}'),
      Uint8Array.of(0xe6, 0x97),
    ]);
    expect(quoteBytes(bytes)).toBe(
      '"x\\x00\\xff\\x01\\x7f\\u00ad\\u200b日本😀\\ue000\\"\\\\\\t\\v\\U000e0001\\xe6\\x97"',
    );
  });

  test.each([
    [[0xc0, 0x80], '"\\xc0\\x80"'],
    [[0xed, 0xa0, 0x80], '"\\xed\\xa0\\x80"'],
    [[0xf4, 0x90, 0x80, 0x80], '"\\xf4\\x90\\x80\\x80"'],
    [[0xf0, 0x8f, 0xbf, 0xbf], '"\\xf0\\x8f\\xbf\\xbf"'],
  ])("overlong, surrogate and too high UTF-8 %j is shown byte by byte", (bytes, quoted) => {
    expect(quoteBytes(Uint8Array.from(bytes))).toBe(quoted);
  });

  test("JSON strings escape what would hurt in HTML", () => {
    expect(jsonText('<a href="x">&\u2028é\n\x01')).toBe(
      '"\\u003ca href=\\"x\\"\\u003e\\u0026\\u2028é\\n\\u0001"',
    );
    expect(quoteText("http://a")).toBe('"http://a"');
  });

  test.each([
    [0, "0s"],
    [0.0000005, "1ns"],
    [0.001, "1µs"],
    [2.414845, "2.414845ms"],
    [200.42445, "200.42445ms"],
    [1000.85178, "1.00085178s"],
    [90_000, "1m30s"],
    [3_600_000, "1h0m0s"],
    [-1_500, "-1.5s"],
  ])("duration of %d ms", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test.each([
    [0n, "0 B"],
    [9n, "9 B"],
    [999n, "999 B"],
    [1_000n, "1.0 kB"],
    [20_480n, "20 kB"],
    [24_576n, "25 kB"],
    [36_864n, "37 kB"],
    [2_147_483_648n, "2.1 GB"],
  ])("%d bytes for people", (size, text) => {
    expect(humanBytes(size)).toBe(text);
  });

  test("ids are unsigned and padded where asked", () => {
    expect([hexId(0xabcn), hexId(-1n), hexId(0n, 16)]).toEqual(["abc", "f".repeat(16), "0".repeat(16)]);
  });
});
