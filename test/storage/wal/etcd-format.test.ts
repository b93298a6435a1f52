/**
 * testdata/etcd-3.7.1.wal is the used part of the log that etcd 3.7.1 wrote: one member, six puts of key1 to key6, one
 * delete, then kill -9. If these fail, a data directory can not move between etcd and this server.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DamageError } from "../../../src/base/errors.js";
import { Metadata } from "../../../src/gen/etcdserver.js";
import { LogWriter } from "../../../src/storage/wal/log-writer.js";
import { RecordType, readFrame } from "../../../src/storage/wal/record.js";
import { segmentRef } from "../../../src/storage/wal/segment-name.js";
import { contents, entry, MemoryLog, metadata, replay } from "./memory-log.js";

const written = readFileSync(new URL("./testdata/etcd-3.7.1.wal", import.meta.url));
const ref = segmentRef(0, 0);

function preallocated(): Uint8Array {
  const bytes = new Uint8Array(2048);
  bytes.set(written);
  return bytes;
}

describe("a log that etcd wrote", () => {
  it("is read whole", () => {
    const { recovered, end } = replay([{ ref, bytes: preallocated() }]);
    const member = 0x706f_59af_be24_7539n;
    expect(recovered.hardState).toEqual({ term: 2, vote: member, commit: 10 });
    expect(recovered.entries.map((e) => [e.index, e.term, e.type, e.data.length])).toEqual([
      [1, 1, 1, 95],
      [2, 2, 0, 0],
      [3, 2, 0, 61],
      [4, 2, 0, 23],
      [5, 2, 0, 30],
      [6, 2, 0, 30],
      [7, 2, 0, 30],
      [8, 2, 0, 30],
      [9, 2, 0, 30],
      [10, 2, 0, 30],
      [11, 2, 0, 21],
    ]);
    expect(contents(recovered)[4]!.data).toContain("key1");
    expect(end).toMatchObject({ offsetBytes: written.length, lastIndex: 11, torn: false });
    expect(Metadata.decode(recovered.metadata).NodeID).toBe(member);
  });

  it("is not read differently with any one bit flipped", () => {
    const text = (bytes: Uint8Array) => {
      const { recovered } = replay([{ ref, bytes }]);
      return JSON.stringify([
        contents(recovered),
        recovered.hardState.commit,
        String(recovered.hardState.vote),
      ]);
    };
    const whole = text(preallocated());
    for (let bit = 0; bit < written.length * 8; bit++) {
      const bytes = preallocated();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      let outcome = whole;
      try {
        outcome = text(bytes);
      } catch (error) {
        if (!(error instanceof DamageError)) throw error;
      }
      if (outcome !== whole) expect({ bit, outcome }).toEqual({ bit, outcome: whole });
    }
  });
});

describe("a log that is written here", () => {
  it("has frames as etcd makes them", () => {
    const { bytes } = LogWriter.firstWrite(metadata);
    expect(Buffer.from(bytes).toString("hex")).toBe(
      // Crc 0; metadata 08011002 with its checksum; the mark {index 0, term 0}.
      "0800000000000000" +
        "0804108080808000" +
        "0e00000000000082" +
        Buffer.from(bytes.subarray(24, 32)).toString("hex") +
        "1a04080110020000" +
        "0e00000000000082" +
        Buffer.from(bytes.subarray(48, 56)).toString("hex") +
        "1a04080010000000",
    );
  });

  it("marks each write that found everything durable, and no other", () => {
    const log = new MemoryLog(4096);
    log.append([{ entries: [entry(1, 1)] }], { sync: true });
    log.append([{ entries: [], hardState: { term: 1, vote: 0n, commit: 1 } }], { sync: false });
    log.append([{ entries: [entry(1, 2)] }], { sync: true });
    const types = [];
    for (let at = 0; ; ) {
      const frame = readFrame(log.last.bytes, at);
      if (frame.kind !== "frame") break;
      types.push(frame.type);
      at = frame.end;
    }
    const { Crc, Entry, Mark, Metadata: Head, State } = RecordType;
    expect(types).toEqual([Crc, Head, Mark, Crc, Entry, Crc, State, Entry]);
  });
});
