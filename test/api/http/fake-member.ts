import { AssertionError } from "../../../src/base/assert.js";
import { type StoreError, storeError } from "../../../src/base/errors.js";
import type { AlarmInfo, Member, MemberInfo, MemberStatus } from "../../../src/member/contract.js";
import { Waiter } from "../../../src/member/waiters.js";

/** What a probe can see of a member; tests change it between requests. */
export interface MemberState {
  alarms: readonly AlarmInfo[];
  status: MemberStatus;
  members: readonly MemberInfo[];
  /** Error of a linearizable read, if any. */
  linearizeFailure: StoreError | undefined;
  rangeFailure: Error | undefined;
}

export function healthyState(): MemberState {
  return {
    alarms: [],
    status: {
      clusterId: 0xc1n,
      memberId: 0xa1n,
      name: "m1",
      leader: 0xa1n,
      term: 2,
      committedIndex: 11,
      appliedIndex: 10,
      revision: 7,
      isLearner: false,
      storeBytes: 4096,
      storeBytesInUse: 1024,
      quotaBytes: 2048,
      clusterVersion: "3.7.0",
    },
    members: [
      { id: 0xa1n, name: "m1", peerUrls: [], clientUrls: [], isLearner: false },
      { id: 0xb2n, name: "m2", peerUrls: [], clientUrls: [], isLearner: false },
    ],
    linearizeFailure: undefined,
    rangeFailure: undefined,
  };
}

export const timeout = storeError("Timeout");

/** A member of which only what the HTTP endpoints use is there; anything else fails the test. */
export function fakeMember(state: MemberState): Member {
  const parts: Partial<Member> = {
    alarms: () => state.alarms,
    status: () => state.status,
    members: () => state.members,
    linearize: () => {
      const confirmed = new Waiter<void>(0);
      if (state.linearizeFailure === undefined) confirmed.resolve();
      else confirmed.reject(state.linearizeFailure);
      return confirmed;
    },
    range: () => {
      if (state.rangeFailure !== undefined) throw state.rangeFailure;
      return undefined as never;
    },
  };
  return new Proxy(parts, {
    get(target, name) {
      const part = target[name as keyof Member];
      if (part === undefined) throw new AssertionError(`the HTTP endpoints do not use ${String(name)}`);
      return part;
    },
  }) as Member;
}
