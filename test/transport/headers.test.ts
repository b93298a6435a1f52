/** What header fields, settings, ids and first bytes mean. If these fail, a good client is refused, or a bad one heard. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compressMessage, decompressMessage } from "../../src/transport/http2/compression.js";
import {
  formatTimeout,
  parseTimeoutMs,
  percentDecode,
  percentEncode,
} from "../../src/transport/http2/grpc-status.js";
import { HeaderBlocks } from "../../src/transport/http2/header-blocks.js";
import { encodeHeaders, encodeIndexedLiteral } from "../../src/transport/http2/hpack-encoder.js";
import { unpaddedEnd } from "../../src/transport/http2/padding.js";
import { protocolOf } from "../../src/transport/http2/protocol-detection.js";
import { parseRequestHead, trailersFault } from "../../src/transport/http2/request-head.js";
import { readSettings } from "../../src/transport/http2/settings.js";
import { StreamIds } from "../../src/transport/http2/stream-ids.js";
import { preface, setting } from "./support.js";

const field = (name: string, value: string, malformed = false) => ({ name, value, malformed });
const pseudo = [field(":method", "POST"), field(":scheme", "http"), field(":path", "/a/b")];

describe("blocks that repeat themselves", () => {
  const blocks = () => {
    const parsed: string[] = [];
    const made = new HeaderBlocks((fields) => {
      const text = fields.map(({ name, value }) => `${name}=${value}`).join(" ");
      parsed.push(text);
      return text;
    });
    return { parsed, whole: (block: Buffer) => made.whole(block, 0, block.length) };
  };
  // Index 62 is the newest entry of the dynamic table.
  const newest = Buffer.of(0x80 | 62);

  test("are parsed once while they mean the same", () => {
    const { parsed, whole } = blocks();
    whole(encodeIndexedLiteral("a", "1"));
    expect([whole(newest), whole(newest), whole(newest)]).toEqual(["a=1", "a=1", "a=1"]);
    expect(parsed).toEqual(["a=1", "a=1"]);
  });

  test("mean something else after the table has changed", () => {
    const { whole } = blocks();
    whole(encodeIndexedLiteral("a", "1"));
    expect(whole(newest)).toBe("a=1");
    whole(encodeIndexedLiteral("a", "2"));
    expect(whole(newest)).toBe("a=2");
  });

  test("that change the table change it each time", () => {
    const { whole } = blocks();
    const adds = encodeIndexedLiteral("a", "1");
    whole(adds);
    whole(encodeIndexedLiteral("b", "2"));
    whole(adds);
    expect(whole(newest)).toBe("a=1");
    expect(whole(Buffer.of(0x80 | 63))).toBe("b=2");
  });

  test("are not confused when very many differ", () => {
    const { whole } = blocks();
    for (let round = 0; round < 2; round++) {
      for (let at = 0; at < 200; at++) expect(whole(encodeHeaders([["n", String(at)]]))).toBe(`n=${at}`);
    }
  });
});

describe("the head of a request", () => {
  test("a good one is taken apart", () => {
    const fields = [field("content-type", "application/grpc"), field("te", "trailers"), field("x", "y")];
    expect(parseRequestHead([...pseudo, field(":authority", "host"), ...fields])).toEqual({
      method: "POST",
      scheme: "http",
      path: "/a/b",
      authority: "host",
      contentType: "application/grpc",
      contentLength: undefined,
      fields,
    });
  });

  test.each([
    ["no path", pseudo.slice(0, 2)],
    ["an empty path", [...pseudo.slice(0, 2), field(":path", "")]],
    ["the same pseudo-header twice", [...pseudo, field(":path", "/c")]],
    ["a pseudo-header behind a field", [...pseudo, field("a", "b"), field(":authority", "c")]],
    ["a pseudo-header of answers", [...pseudo, field(":status", "200")]],
    ["a malformed field", [...pseudo, field("A", "b", true)]],
    ["a field of HTTP/1.1 connections", [...pseudo, field("transfer-encoding", "chunked")]],
    ["te other than trailers", [...pseudo, field("te", "gzip")]],
    ["a length that is no number", [...pseudo, field("content-length", "1e3")]],
    ["two lengths", [...pseudo, field("content-length", "1"), field("content-length", "2")]],
  ])("%s is refused", (_name, fields) => {
    expect(parseRequestHead(fields)).toBeTypeOf("string");
  });

  test("trailers have neither pseudo-headers nor fields of connections", () => {
    expect(trailersFault([field("grpc-status", "0")])).toBeUndefined();
    for (const bad of [field(":path", "/"), field("connection", "close"), field("A", "", true)]) {
      expect(trailersFault([field("grpc-status", "0"), bad])).toBeTypeOf("string");
    }
  });
});

describe("statuses and deadlines", () => {
  test("any text arrives unchanged, as printable ASCII", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const encoded = percentEncode(text);
        expect(encoded).toMatch(/^[ -~]*$/);
        expect(percentDecode(encoded)).toBe(text);
      }),
    );
  });

  test("escapes that are none are kept", () => {
    expect(percentDecode("100% of %zz and %4")).toBe("100% of %zz and %4");
  });

  test.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3_000],
    ["4m", 4],
    ["5u", 0.005],
    ["99999999n", 99.999999],
    ["", undefined],
    ["5", undefined],
    ["-1S", undefined],
    ["123456789m", undefined],
    ["1h", undefined],
  ])("grpc-timeout %s", (text, ms) => {
    if (ms === undefined) expect(parseTimeoutMs(text)).toBeUndefined();
    else expect(parseTimeoutMs(text)).toBeCloseTo(ms, 9);
  });

  test("a deadline is never sent shorter than it is, up to three years", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 9.9e10, noNaN: true }), (ms) => {
        const sent = parseTimeoutMs(formatTimeout(ms))!;
        expect(sent).toBeGreaterThanOrEqual(ms);
        expect(sent - ms).toBeLessThanOrEqual(1_000);
      }),
    );
  });
});

describe("compressed messages", () => {
  test("come back as they were, from one part or several", () => {
    const bytes = Buffer.alloc(10_000, "abc");
    const parts = [bytes.subarray(0, 100), bytes.subarray(100)];
    for (const whole of [bytes, parts]) {
      const compressed = compressMessage(whole, bytes.length)!;
      expect(compressed.length).toBeLessThan(1_000);
      expect(Buffer.from(decompressMessage(compressed, "gzip", 10_000))).toEqual(bytes);
    }
  });

  test("a bomb, garbage, and a flag without an encoding are refused in grpc-go's words", () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000));
    expect(() => decompressMessage(bomb, "gzip", 10_000)).toThrow(
      "after decompression larger than max 10000",
    );
    expect(() => decompressMessage(Buffer.from("x"), "gzip", 10)).toThrow("failed to read decompressed data");
    expect(() => decompressMessage(bomb, "identity", 10)).toThrow("compressed flag set with identity");
  });
});

describe("which protocol the first bytes speak", () => {
  test("however few there are", () => {
    for (let length = 0; length < preface.length; length++) {
      expect(protocolOf(preface.subarray(0, length))).toBeUndefined();
    }
    expect(protocolOf(Buffer.concat([preface, Buffer.of(0)]))).toBe("http2");
  });

  test.each([
    ["GET / HTTP/1.1", "http1"],
    ["PROPFIND /", "http1"],
    ["GE", undefined],
    ["PRI * HTTP/1.1", "neither"],
    ["HELO example", "neither"],
    ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and more", "neither"],
    ["NOSUCHMETHODATALL", "neither"],
  ])("%s", (text, protocol) => {
    expect(protocolOf(Buffer.from(text, "latin1"))).toBe(protocol);
  });
});

describe("settings, ids and padding", () => {
  test("settings keep their order, the last one counts, and unknown ones pass", () => {
    const bytes = Buffer.concat([setting(4, 1), setting(0x99, 7), setting(4, 0x7fff_ffff)]);
    expect(readSettings(bytes, 0, bytes.length)).toEqual([
      [4, 1],
      [0x99, 7],
      [4, 0x7fff_ffff],
    ]);
  });

  test.each([
    ["push that is neither on nor off", setting(2, 2)],
    ["a window over 2^31-1", setting(4, 0x8000_0000)],
    ["frames below 16,384 bytes", setting(5, 16_383)],
    ["frames over 2^24-1 bytes", setting(5, 0x0100_0000)],
  ])("%s", (_name, bytes) => {
    expect(() => readSettings(bytes, 0, 6)).toThrow();
  });

  test("a client's streams are odd and rise, and after the last one it needs a new connection", () => {
    const client = new StreamIds("client");
    expect([client.next(), client.next(), client.next()]).toEqual([1, 3, 5]);
    expect(client.exhausted).toBe(false);
    const server = new StreamIds("server");
    expect([1, 2, 3].map((id) => server.opensStream(id))).toEqual([true, false, true]);
    server.lastPeer = 5;
    expect([3, 5, 7].map((id) => server.opensStream(id))).toEqual([false, false, true]);
    server.checkNotIdle(5, "DATA");
    expect(() => server.checkNotIdle(7, "DATA")).toThrow("idle stream 7");
    expect(() => server.checkNotIdle(2, "DATA")).toThrow("idle stream 2");
    client.checkNotIdle(5, "DATA");
    expect(() => client.checkNotIdle(7, "DATA")).toThrow("idle stream 7");
  });

  test("padding may fill the payload and no more", () => {
    expect(unpaddedEnd(Buffer.of(0, 1, 2), 0, 3)).toBe(3);
    expect(unpaddedEnd(Buffer.of(2, 0, 0), 0, 3)).toBe(1);
    expect(() => unpaddedEnd(Buffer.of(3, 0, 0), 0, 3)).toThrow("more padding");
    expect(() => unpaddedEnd(Buffer.alloc(0), 0, 0)).toThrow("more padding");
  });
});
