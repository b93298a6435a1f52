/** What must hold of a configuration and the progress of its members, before and after every change. */
import { assert } from "../../base/assert.js";
import { jointVoterIds } from "../quorum/joint.js";
import type { TrackedConfig } from "../tracker/tracker.js";

/** The empty configuration passes: a log that was never started has no members yet. */
export function checkInvariants({ config, progress }: TrackedConfig): void {
  const { voters, votersOutgoing, learners, learnersNext } = config;
  for (const id of [...jointVoterIds(config), ...learners, ...learnersNext]) {
    assert(progress.has(id), `member ${id} is tracked`);
  }
  for (const id of learnersNext) {
    assert(votersOutgoing.includes(id), `staged learner ${id} votes in the outgoing half`);
    assert(!progress.get(id)!.isLearner, `staged learner ${id} is not a learner yet`);
  }
  for (const id of learners) {
    assert(!votersOutgoing.includes(id) && !voters.includes(id), `learner ${id} is not a voter`);
    assert(progress.get(id)!.isLearner, `learner ${id} is tracked as one`);
  }
  if (votersOutgoing.length === 0) {
    assert(learnersNext.length === 0, "learners are staged only in a joint configuration");
    assert(!config.autoLeave, "only a joint configuration can be left");
  }
}
