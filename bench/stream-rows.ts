/** The rows about watches and leases: calls that stay open, and what the server keeps for them. */
import type { RowBase } from "./rows.js";
import type { Target } from "./statistics.js";

/** Events or keep-alives over calls that stay open. */
export interface StreamRow extends RowBase {
  readonly kind: "stream";
  readonly workload: "watch" | "watch-all" | "watch-latency" | "watch-bursts" | "keep-alive";
  /** Who puts, or who keeps a lease alive. */
  readonly clients: number;
  /** Of the streams; those who put have their own. */
  readonly connections: number;
  readonly streams: number;
  readonly watches: number;
  /** Puts; 0: by time. */
  readonly requests: number;
  /** Puts a second, where they come steadily. */
  readonly rate: number;
}

/** What a server takes for each of many things that it holds and that do nothing. */
export interface HoldRow extends RowBase {
  readonly kind: "hold";
  readonly holds: "watches" | "leases" | "leasesWithKeys";
  readonly count: number;
}

function atLeast(bound: number): Target {
  return { metric: "throughput", bound };
}

const common = { kind: "stream", connections: 10, streams: 10, watches: 100, rate: 0 } as const;
const latencyTargets: readonly Target[] = [
  { metric: "p50", bound: 0.7 },
  { metric: "p99", bound: 0.7 },
];

export const streamRows: readonly StreamRow[] = [
  {
    ...{ ...common, workload: "watch", clients: 10, requests: 2_000 },
    id: "watch-10x100",
    title: "events to 10 streams × 100 watches of one key, 10 clients put",
    targets: [atLeast(1.5)],
  },
  {
    ...{ ...common, workload: "watch-all", clients: 1, streams: 100, requests: 100 },
    id: "watch-key-10k",
    title: "events to 10,000 watches of one key, each put waits for all (latency: until all have it)",
    targets: [atLeast(1), { metric: "p50", bound: 1 }],
  },
  ...(
    [
      [500, 4],
      [2_000, 16],
      [5_000, 32],
    ] as const
  ).map(
    ([rate, clients]): StreamRow => ({
      ...{ ...common, workload: "watch-latency", watches: 10, requests: 0, rate, clients },
      id: `watch-latency-${rate}`,
      title: `put to event, 100 watches of a key each, ${rate.toLocaleString("en")} puts a second at equal distances`,
      targets: latencyTargets,
    }),
  ),
  {
    ...{ ...common, workload: "watch-bursts", clients: 4, watches: 10, requests: 0, rate: 500 },
    id: "watch-bursts",
    title: "the same, in bursts of four",
    targets: [],
  },
  {
    ...{ ...common, workload: "keep-alive", clients: 100, watches: 0, requests: 0 },
    id: "keep-alive-100c",
    title: "keep-alive, 100 streams of a lease each",
    targets: [atLeast(2)],
  },
  {
    ...{ ...common, workload: "keep-alive", clients: 1_000, connections: 100, watches: 0, requests: 0 },
    id: "keep-alive-1000c",
    title: "keep-alive, 1,000 streams of a lease each",
    targets: [atLeast(2)],
  },
];

const holdTargets: readonly Target[] = [{ metric: "perItem", bound: 1 }];

export const holdRows: readonly HoldRow[] = [
  ...([10_000, 100_000] as const).map(
    (count): HoldRow => ({
      ...{ kind: "hold", holds: "watches", count, targets: holdTargets },
      id: `memory-watch-${count / 1_000}k`,
      title: `memory of a watch, ${count.toLocaleString("en")} on 100 streams, each of its own key`,
    }),
  ),
  {
    ...{ kind: "hold", holds: "leases", count: 100_000, targets: holdTargets },
    id: "memory-lease-100k",
    title: "memory of a lease, 100,000 without keys",
  },
  {
    ...{ kind: "hold", holds: "leasesWithKeys", count: 100_000, targets: holdTargets },
    id: "memory-lease-key-100k",
    title: "memory of a lease with a key of 256 B, 100,000",
  },
];
