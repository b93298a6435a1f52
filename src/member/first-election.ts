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
  let stop = (): void => {};
  const look = (): void => {
    const { length } = core.state.membership.members();
    const alone = length === 1;
    const met = options.advance && deps.activePeers() > 1;
    looks++;
    if (!alone && !met && looks < looksMax) return;
    stop();
    looks = looksMax;
    if (core.raft.status().leader !== 0n) return;
    if (alone) driver.push({ type: "campaign" });
    else if (met)
      for (let tick = 2; tick < options.electionTicks; tick++)
        driver.push({ type: "tick", nowMs: clock.monotonicMs() });
  };
  // A member that restarts alone knows that it is; one that is founded learns it from its first entries.
  look();
  if (looks < looksMax) stop = clock.every(lookIntervalMs, look);
  return () => stop();
}
