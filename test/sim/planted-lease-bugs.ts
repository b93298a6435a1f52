/** Mistakes about leases, planted as those of planted-bugs.ts are; most of them were once made in etcd. */
import { encodeLeaseId } from "../../src/apply/lease-requests.js";
import { encodeRaftRequest, RequestField } from "../../src/apply/raft-request.js";
import type { Countdown } from "../../src/lease/countdown.js";
import type { Lease } from "../../src/lease/lease.js";
import type { LeaseAnswer, LeaseTiming } from "../../src/lease/lease-timing.js";
import type { Lessor } from "../../src/lease/lessor.js";
import type { MemberCore } from "../../src/member/core/core.js";
import type { LeaseDuty } from "../../src/member/core/lease-duty.js";
import type { Sabotage } from "./planted-bugs.js";

export const plantedLeaseBugs = [
  "full-time-granted-again",
  "lease-ended-by-old-leader",
  "keep-alive-by-old-leader",
  "keep-alive-before-checkpoint-is-back",
  "lease-kept-by-followers",
] as const;

/** What planted bugs change inside the leader's part. A bug that patched a method as it once was would never show. */
interface DutyInside extends Pick<LeaseDuty, "adopt" | "propose" | "renew"> {
  lessor: Lessor;
  stepDown(): void;
}

interface TimingInside {
  extendMs: number;
  expired: { readonly lease: Lease }[];
  takeOverMs(lease: Lease): number;
  toClear: Countdown[];
  answers: LeaseAnswer[];
}

function dutyOf(core: MemberCore): DutyInside {
  return (core as unknown as { readonly leases: DutyInside }).leases;
}

/** Patches the lessor of a member, and each that takes its place with a snapshot. */
function eachLessor(core: MemberCore, patch: (lessor: Lessor) => void): void {
  const duty = dutyOf(core);
  patch(duty.lessor);
  const adopt = duty.adopt.bind(duty);
  duty.adopt = (lessor) => {
    patch(lessor);
    adopt(lessor);
  };
}

function timingInside(timing: LeaseTiming): TimingInside {
  return timing as unknown as TimingInside;
}

export const leaseSabotages: Readonly<Record<(typeof plantedLeaseBugs)[number], Partial<Sabotage>>> = {
  /** A new leader knows nothing of checkpoints (etcd-io/etcd #9888). */
  "full-time-granted-again": {
    core: (core) =>
      eachLessor(core, ({ timing }) => {
        const inside = timingInside(timing);
        inside.takeOverMs = ({ ttlSeconds }) => ttlSeconds * 1_000 + inside.extendMs;
      }),
  },

  /** What a leader that was deposed found run out it has the next leader end (etcd-io/etcd #15247). */
  "lease-ended-by-old-leader": {
    core: (core) => {
      const duty = dutyOf(core);
      const stepDown = duty.stepDown.bind(duty);
      const propose = duty.propose.bind(duty);
      let left: readonly Lease[] = [];
      duty.stepDown = () => {
        left = timingInside(duty.lessor.timing).expired.map(({ lease }) => lease);
        stepDown();
      };
      duty.propose = () => {
        propose();
        if (left.length === 0 || core.raft.state.leader === 0n) return;
        core.raft.propose(
          left.map(({ id }) =>
            encodeRaftRequest({ id: 0n, field: RequestField.LeaseRevoke, body: encodeLeaseId(id) }),
          ),
        );
        left = [];
      };
    },
  },

  /** A leader confirms a keep-alive without asking whether it still leads. */
  "keep-alive-by-old-leader": {
    core: (core) => {
      const duty = dutyOf(core);
      const renew = duty.renew.bind(duty);
      duty.renew = (renewal) => {
        const { timing } = duty.lessor;
        if (timing.leading) timing.renew(duty.lessor.find(renewal.lease), renewal.ticket);
        else renew(renewal);
      };
    },
  },

  /** A keep-alive is confirmed while the log still says that less is left: the next leader ends the lease too early. */
  "keep-alive-before-checkpoint-is-back": {
    core: (core) =>
      eachLessor(core, (lessor) => {
        const { timing } = lessor;
        const inside = timingInside(timing);
        const renew = timing.renew.bind(timing);
        timing.renew = (lease, ticket) => {
          renew(lease, ticket);
          const countdown = lease?.countdown;
          if (lease === undefined || countdown?.clearing?.includes(ticket) !== true) return;
          countdown.clearing = undefined;
          inside.toClear = inside.toClear.filter((other) => other !== countdown);
          inside.answers.push({ ticket, ttlSeconds: lease.ttlSeconds });
        };
      }),
  },

  /** Members that do not lead never let go of a lease that ended. */
  "lease-kept-by-followers": {
    core: (core) =>
      eachLessor(core, (lessor) => {
        const remove = lessor.remove.bind(lessor);
        lessor.remove = (lease) => {
          if (lessor.timing.leading) remove(lease);
        };
      }),
  },
};
