/** How a member changes its role. Raft thesis, figure 3.3; pre-candidates section 9.6. */
import { assert } from "../base/assert.js";
import type { MemberId, Term } from "../base/brand.js";
import { emptyBytes } from "../base/bytes.js";
import { noMember } from "./message.js";
import { appendProposals } from "./replication.js";
import type { RaftState, Role } from "./state.js";
import { Progress } from "./tracker/progress.js";
import { EntryType } from "./types.js";

/** Begins anew in `term`: no leader, no votes, nothing known of the others. */
function reset(state: RaftState, term: Term, role: Role): void {
  if (state.term !== term) {
    state.term = term;
    state.vote = noMember;
  }
  state.role = role;
  state.leader = noMember;
  const { config, timer, leadership } = state;
  timer.electionElapsed = 0;
  timer.heartbeatElapsed = 0;
  timer.electionTimeout = config.electionTicks + config.random.below(config.electionTicks);
  leadership.transferee = noMember;
  leadership.pendingConfIndex = 0;
  leadership.uncommittedBytes = 0;
  state.tracker.resetVotes();
  const lastIndex = state.log.lastIndex();
  state.tracker.resetProgress((id, old) => {
    const progress = new Progress(lastIndex + 1, old.isLearner, state.tracker.inflightLimits);
    if (id === state.id) progress.match = lastIndex;
    return progress;
  });
  state.reads.reset();
}

export function becomeFollower(state: RaftState, term: Term, leader: MemberId): void {
  reset(state, term, "follower");
  state.leader = leader;
  state.trace(() => `became follower at term ${term}`);
}

export function becomeCandidate(state: RaftState): void {
  assert(state.role !== "leader", "a leader does not stand for election");
  reset(state, state.term + 1, "candidate");
  state.vote = state.id;
  state.trace(() => `became candidate at term ${state.term}`);
}

/** Neither term nor vote changes: that is the point of asking first. */
export function becomePreCandidate(state: RaftState): void {
  assert(state.role !== "leader", "a leader does not stand for election");
  state.tracker.resetVotes();
  state.leader = noMember;
  state.role = "preCandidate";
  state.trace(() => `became pre-candidate at term ${state.term}`);
}

export function becomeLeader(state: RaftState): void {
  assert(state.role !== "follower", "a follower does not become leader without an election");
  reset(state, state.term, "leader");
  state.leader = state.id;
  const own = state.tracker.progress.get(state.id);
  assert(own !== undefined, "a leader is a member");
  own.becomeReplicate();
  own.recentActive = true;
  // There may be a membership change in the tail of the log. To find out is dearer than to wait.
  state.leadership.pendingConfIndex = state.log.lastIndex();
  // Only an entry of its own term lets a leader commit, so it makes one at once. Raft thesis, section 3.6.2.
  const appended = appendProposals(state, [{ type: EntryType.Normal, data: emptyBytes }]);
  assert(appended, "an entry without payload is always let in");
  state.trace(() => `became leader at term ${state.term}`);
}
