import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HpackDecoder } from "../../src/transport/http2/hpack-decoder.js";
import { encodeHeaders, encodeTableSize, type HeaderPair } from "../../src/transport/http2/hpack-encoder.js";
import { ConnectionError, ErrorCode } from "../../src/transport/http2/protocol.js";
import { ResponseHeaders } from "../../src/transport/http2/response-headers.js";

type Pairs = readonly HeaderPair[];

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ""), "hex");
}

function newDecoder(): HpackDecoder {
  return new HpackDecoder({ listBytesMax: 65_536 });
}

function decode(decoder: HpackDecoder, block: Buffer): Pairs {
  return decoder.decode(block, 0, block.length).fields.map(({ name, value }) => [name, value] as const);
}

const request1: Pairs = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const request2: Pairs = [...request1, ["cache-control", "no-cache"]];
const request3: Pairs = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/index.html"],
  [":authority", "www.example.com"],
  ["custom-key", "custom-value"],
];
const response1: Pairs = [
  [":status", "302"],
  ["cache-control", "private"],
  ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
  ["location", "https://www.example.com"],
];
const response2: Pairs = [[":status", "307"], ...response1.slice(1)];
const response3: Pairs = [
  [":status", "200"],
  ["cache-control", "private"],
  ["date", "Mon, 21 Oct 2013 20:13:22 GMT"],
  ["location", "https://www.example.com"],
  ["content-encoding", "gzip"],
  ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
];

/** RFC 7541, appendix C: blocks in a row on one connection, with the size of the table after each. */
const vectors: readonly { name: string; tableBytes: number; blocks: readonly [string, Pairs, number][] }[] = [
  {
    name: "C.2.1 literal with indexing",
    tableBytes: 4096,
    blocks: [
      [
        "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
        [["custom-key", "custom-header"]],
        55,
      ],
    ],
  },
  {
    name: "C.2.2 literal without indexing",
    tableBytes: 4096,
    blocks: [["040c 2f73 616d 706c 652f 7061 7468", [[":path", "/sample/path"]], 0]],
  },
  {
    name: "C.2.3 literal never indexed",
    tableBytes: 4096,
    blocks: [["1008 7061 7373 776f 7264 0673 6563 7265 74", [["password", "secret"]], 0]],
  },
  { name: "C.2.4 indexed", tableBytes: 4096, blocks: [["82", [[":method", "GET"]], 0]] },
  {
    name: "C.3 requests without Huffman",
    tableBytes: 4096,
    blocks: [
      ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", request1, 57],
      ["8286 84be 5808 6e6f 2d63 6163 6865", request2, 110],
      ["8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", request3, 164],
    ],
  },
  {
    name: "C.4 requests with Huffman",
    tableBytes: 4096,
    blocks: [
      ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", request1, 57],
      ["8286 84be 5886 a8eb 1064 9cbf", request2, 110],
      ["8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", request3, 164],
    ],
  },
  {
    name: "C.5 responses without Huffman, with eviction",
    tableBytes: 256,
    blocks: [
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32
         3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        response1,
        222,
      ],
      ["4803 3330 37c1 c0bf", response2, 222],
      [
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970
         7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61
         6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
        response3,
        215,
      ],
    ],
  },
  {
    name: "C.6 responses with Huffman, with eviction",
    tableBytes: 256,
    blocks: [
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad
         1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
        response1,
        222,
      ],
      ["4883 640e ffc1 c0bf", response2, 222],
      [
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2
         e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
        response3,
        215,
      ],
    ],
  },
];

describe("the examples of RFC 7541, appendix C", () => {
  test.each(vectors)("$name", ({ tableBytes, blocks }) => {
    const decoder = newDecoder();
    if (tableBytes !== 4096) decode(decoder, encodeTableSize(tableBytes));
    for (const [bytes, pairs, sizeAfter] of blocks) {
      expect(decode(decoder, hex(bytes))).toEqual(pairs);
      expect(decoder.table.bytes).toBe(sizeAfter);
    }
  });

  test("C.1 integers, seen in a table size update", () => {
    expect(encodeTableSize(10)).toEqual(hex("2a"));
    expect(encodeTableSize(1337)).toEqual(hex("3f9a0a"));
  });
});

describe("a decoder that is lied to ends the connection with COMPRESSION_ERROR", () => {
  test.each([
    ["index 0", "80"],
    ["an index past the tables", "be"],
    ["a string past the block", "400a6375"],
    ["an integer that does not end", "ffffffffffffffff"],
    ["a table larger than allowed", "3fe21f"],
    ["a size update after a field", "8220"],
    ["EOS inside a Huffman string", "0084ffffffff00"],
    ["Huffman padding of zeros", "008118 00"],
    ["Huffman padding of a whole byte", "0082 1fff 00"],
  ])("%s", (_name, bytes) => {
    let caught: unknown;
    try {
      decode(newDecoder(), hex(bytes));
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ConnectionError);
    expect((caught as ConnectionError).code).toBe(ErrorCode.CompressionError);
  });

  test("random bytes never do anything else than decode or COMPRESSION_ERROR", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
        const decoder = newDecoder();
        try {
          for (const block of blocks) decode(decoder, Buffer.from(block));
        } catch (error) {
          expect(error).toBeInstanceOf(ConnectionError);
        }
        expect(decoder.table.bytes).toBeLessThanOrEqual(4096);
      }),
      { numRuns: 2000 },
    );
  });

  test("a bomb of references to one large entry is counted and not stored", () => {
    const decoder = newDecoder();
    const entry = Buffer.concat([hex("4001 61 7f a1 1e"), Buffer.alloc(4000, "x")]);
    const bomb = Buffer.concat([entry, Buffer.alloc(16_000, 0xbe)]);
    const { fields, tooLarge } = decoder.decode(bomb, 0, bomb.length);
    expect(tooLarge).toBe(true);
    expect(fields.length).toBeLessThanOrEqual(16);
    expect(decoder.table.bytes).toBe(4033);
  });
});

describe("what is encoded", () => {
  const visible = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  });

  test("decodes to the same fields", () => {
    const name = fc.constantFrom(
      ":path",
      "content-type",
      "x-custom",
      "authorization",
      ":status",
      "grpc-status",
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, visible)), (pairs) => {
        expect(decode(newDecoder(), encodeHeaders(pairs))).toEqual(pairs);
      }),
    );
  });

  test("the head and trailers of answers mean the same, whatever table the peer allows and when", () => {
    const step = fc.oneof(fc.constantFrom("head", "trailers", "other"), fc.nat(6000));
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const encoder = new ResponseHeaders();
        const decoder = newDecoder();
        for (const one of steps) {
          if (typeof one === "number") encoder.setTableBytes(one);
          else if (one === "head") {
            const pairs = [
              [":status", "200"],
              ["content-type", "application/grpc"],
            ];
            expect(decode(decoder, encoder.head())).toEqual(pairs);
          } else if (one === "trailers") {
            expect(decode(decoder, encoder.okTrailers())).toEqual([["grpc-status", "0"]]);
          } else {
            expect(decode(decoder, encoder.other(encodeHeaders([["a", "b"]])))).toEqual([["a", "b"]]);
          }
        }
      }),
    );
  });

  test("the second answer on a connection has a head of two bytes and trailers of one", () => {
    const encoder = new ResponseHeaders();
    encoder.head();
    encoder.okTrailers();
    expect(encoder.head()).toHaveLength(2);
    expect(encoder.okTrailers()).toHaveLength(1);
  });
});
