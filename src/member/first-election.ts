/**
 * Shortens the wait for the first election after a start: a lone member need not wait for anyone, and one whose
 * peers answer hears from a leader at once if there is one. Pre-votes keep it from disturbing a leader anyway.
 * As etcd's --initial-election-tick-advance.
 */
import type { Clock } from "../ports/clock.js";
import type { MemberCore } from "./core/core.js";
import type { Driver } from "./driver.js";

export interface FirstElectionOptions {
  readonly electionTicks: number;
  /** False: only a lone member is hurried. */
  readonly advance: boolean;
}

export interface FirstElectionDeps {
  readonly core: MemberCore;
  readonly driver: Driver;
  readonly clock: Clock;
  /** Peers whose link is up. */
  readonly activePeers: () => number;
}

const lookIntervalMs = 50;
/** After this the election timeout has run out by itself; etcd gives up after 5 s too. */
const looksMax = 100;

/** Call the result to stop looking. */
export function hurryFirstElection(options: FirstElectionOptions, deps: FirstElectionDeps): () => void {
  const { core, driver, clock } = deps;
  let looks = 0;
  const stop = clock.every(lookIntervalMs, () => {
    const { length } = core.state.membership.members();
    const alone = length === 1;
    const met = options.advance && deps.activePeers() > 1;
    looks++;
    if (!alone && !met && looks < looksMax) return;
    stop();
    if (core.raft.status().leader !== 0n || looks >= looksMax) return;
    const ticks = options.electionTicks - (alone ? 1 : 2);
    for (let tick = 0; tick < ticks; tick++) driver.push({ type: "tick", nowMs: clock.monotonicMs() });
  });
  return stop;
}
