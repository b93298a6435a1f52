import { describe, expect, test } from "vitest";
import { isStoreError, type PlainErrorCode } from "../../src/base/errors.js";
import {
  decodeChangeContext,
  decodeMember,
  encodeChangeContext,
  encodeMember,
  type MemberRecord,
} from "../../src/membership/member-record.js";
import { Membership } from "../../src/membership/membership.js";
import { MemoryState } from "../support/memory-state.js";

const bigId = 0xfedc_ba98_7654_3210n;

function member(id: bigint, port: number, isLearner = false): MemberRecord {
  return { id, peerUrls: [`http://127.0.0.1:${port}`], isLearner, name: "", clientUrls: [] };
}

function withMembers(...members: readonly MemberRecord[]): { membership: Membership; records: MemoryState } {
  const records = new MemoryState();
  const membership = new Membership({ learnersMax: 1 }, { records });
  for (const one of members) membership.add(one);
  return { membership, records };
}

function refusal(action: () => void): PlainErrorCode | string {
  try {
    action();
  } catch (error) {
    if (isStoreError(error, "Other")) return error.message;
    return (error as Error).message;
  }
  return "accepted";
}

describe("who may come and go", () => {
  test("an id that is there, or ever was, is not taken again: it could vote twice", () => {
    const { membership } = withMembers(member(1n, 1), member(2n, 2));
    expect(refusal(() => membership.add(member(1n, 9)))).toBe("MemberExist");
    membership.remove(2n);
    expect(refusal(() => membership.add(member(2n, 9)))).toBe("MemberExist");
    expect(membership.isRemoved(2n)).toBe(true);
    expect(refusal(() => membership.remove(2n))).toBe("MemberNotFound");
  });

  test("two members can not be reached at one URL", () => {
    const { membership } = withMembers(member(1n, 1), member(2n, 2));
    expect(refusal(() => membership.add(member(3n, 1)))).toBe("PeerURLExist");
    expect(refusal(() => membership.updatePeerUrls(2n, ["http://127.0.0.1:1"]))).toBe("PeerURLExist");
    membership.updatePeerUrls(2n, ["http://127.0.0.1:2", "http://127.0.0.1:1002"]);
    expect(membership.member(2n)?.peerUrls).toEqual(["http://127.0.0.1:1002", "http://127.0.0.1:2"]);
  });

  test("learners are few, are promoted once, and an update of their URLs does not promote them", () => {
    const { membership } = withMembers(member(1n, 1), member(2n, 2, true));
    expect(refusal(() => membership.add(member(3n, 3, true)))).toBe("TooManyLearners");
    membership.updatePeerUrls(2n, ["http://127.0.0.1:22"]);
    expect(membership.member(2n)?.isLearner).toBe(true);
    membership.promote(2n);
    expect(membership.member(2n)?.isLearner).toBe(false);
    expect(refusal(() => membership.promote(2n))).toBe("MemberNotLearner");
    expect(refusal(() => membership.promote(7n))).toBe("MemberNotFound");
  });

  test("a member that was removed while it published itself does not come back by that", () => {
    const { membership } = withMembers(member(1n, 1), member(2n, 2));
    membership.remove(2n);
    membership.setAttributes(2n, "ghost", []);
    expect(membership.members().map(({ id }) => id)).toEqual([1n]);
  });
});

describe("what is stored", () => {
  test("a restart finds members, removals and the version as they were", () => {
    const { membership, records } = withMembers(member(bigId, 1), member(2n, 2), member(3n, 3, true));
    membership.setAttributes(bigId, "m1", ["http://127.0.0.1:2379"]);
    membership.remove(2n);
    membership.promote(3n);
    membership.setClusterVersion("3.7.0");
    const again = new Membership({ learnersMax: 1 }, { records });
    expect(again.members()).toEqual(membership.members());
    expect(again.isRemoved(2n)).toBe(true);
    expect(again.clusterVersion).toBe("3.7.0");
  });

  test("a member's record and the context of its change survive their encodings, ids of 64 bits too", () => {
    const record: MemberRecord = {
      id: bigId,
      peerUrls: ["http://[::1]:2380", "https://ü.example:2380"],
      isLearner: true,
      name: 'quoted "ü"',
      clientUrls: ["http://127.0.0.1:2379"],
    };
    expect(decodeMember(encodeMember(record))).toEqual(record);
    const { peerUrls, isLearner, name } = record;
    const context = { peerUrls, isLearner, name, isPromote: true };
    const bytes = encodeChangeContext(bigId, context);
    expect(Buffer.from(bytes).toString()).toContain(`"id":${bigId}`);
    expect(decodeChangeContext(bytes)).toEqual(context);
  });

  test("a context that is no JSON is none, and stops nobody", () => {
    for (const text of ["", "{", "null", "7", "\xff"]) {
      expect(decodeChangeContext(Buffer.from(text, "latin1"))).toBeUndefined();
    }
  });
});
