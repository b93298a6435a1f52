/** What one run does, all of it decided by the seed unless an option says otherwise. */
import { Dice } from "./dice.js";
import type { PlantedBug } from "./planted-bugs.js";

export const faults = [
  "loss",
  "duplication",
  "delay",
  "partition",
  "reset",
  "kill",
  "power",
  "failpoint",
  "pause",
  "clock",
  "slowDisk",
  "fullDisk",
  "failedSync",
  "flip",
  "misdirect",
  "membership",
  "joint",
  "transfer",
  "compaction",
] as const;

export type Fault = (typeof faults)[number];

export interface SimOptions {
  readonly seed: number;
  readonly members: number;
  /** Simulated time with load and faults, before everything is healed. */
  readonly durationMs: number;
  readonly faults: ReadonlySet<Fault>;
  /** Clients; each waits for an answer before it asks for the next. */
  readonly clients: number;
  /** Clients with a stream of watches each. */
  readonly watchers: number;
  /** Clients with a lease each. */
  readonly lessees: number;
  /** Mean pause of a client between two requests. */
  readonly thinkMs: number;
  /** Keys that the clients use. */
  readonly keys: number;
  /** Mean time between two acts of the nemesis. */
  readonly faultEveryMs: number;
  /** Entries applied after which the log is cut. */
  readonly snapshotCount: number;
  readonly catchUpEntries: number;
  /** Size of a segment of the Raft log. */
  readonly segmentBytes: number;
  readonly preVote: boolean;
  readonly bug: PlantedBug | undefined;
  /** Keep every line of the trace, ordinary traffic too. */
  readonly talkative: boolean;
}

export type Overrides = { readonly [Name in keyof SimOptions]?: SimOptions[Name] | undefined };

/** The options of `seed`, with what `overrides` says in their place. */
export function optionsOf(seed: number, overrides: Overrides = {}): SimOptions {
  const dice = Dice.of(seed, "options");
  // Each seed has some kinds of faults and not others: some bugs only show where others do not disturb.
  const chosen = faults.filter(() => dice.chance(0.45));
  const options: SimOptions = {
    seed,
    members: dice.chance(0.75) ? 3 : 5,
    durationMs: 30_000,
    faults: new Set(chosen),
    clients: 4 + dice.below(5),
    thinkMs: dice.pick([40, 80, 120, 200]),
    keys: dice.pick([3, 8, 20]),
    faultEveryMs: dice.pick([400, 900, 2_000]),
    snapshotCount: dice.pick([40, 150, 1_000]),
    catchUpEntries: dice.pick([5, 40]),
    segmentBytes: dice.pick([8, 16, 64]) * 1024,
    preVote: dice.chance(0.8),
    watchers: dice.below(4),
    lessees: dice.below(4),
    bug: undefined,
    talkative: false,
  };
  // Drawn last, as those before are what older seeds are known by.
  const alone = dice.chance(0.05) ? { members: 1 } : {};
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
  return { ...options, ...alone, ...Object.fromEntries(given) };
}

/** As text, in the form in which the command line takes them. */
export function describeOptions(options: SimOptions): string {
  const { members, durationMs, clients, watchers, lessees, thinkMs, keys, faultEveryMs } = options;
  const { snapshotCount, segmentBytes } = options;
  const chosen = faults.filter((fault) => options.faults.has(fault)).join(",") || "none";
  const bug = options.bug === undefined ? "" : ` --bug ${options.bug}`;
  return (
    `--seed ${options.seed} --members ${members} --seconds ${durationMs / 1_000} --faults ${chosen}${bug}` +
    ` (clients ${clients}, watchers ${watchers}, lessees ${lessees}, think ${thinkMs} ms, keys ${keys}, fault every ${faultEveryMs} ms,` +
    ` snapshot count ${snapshotCount}, segments of ${segmentBytes} bytes, pre-vote ${options.preVote})`
  );
}
