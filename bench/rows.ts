/** The rows of the table, each with what it is to reach. */
import type { Target } from "./statistics.js";
import { type HoldRow, holdRows, type StreamRow, streamRows } from "./stream-rows.js";

export interface RowBase {
  /** Chosen by `--only`. */
  readonly id: string;
  readonly title: string;
  readonly targets: readonly Target[];
}

/** Requests by closed-loop clients. */
export interface LoadRow extends RowBase {
  readonly kind: "load";
  readonly members: 1 | 3;
  readonly workload: string;
  readonly clients: number;
  readonly connections: number;
  /** Writes end by count, so that both sides keep the same amount; reads by time. 0: by time. */
  readonly requests: number;
}

/** Something about a store of many keys on one member. */
export interface StoreRow extends RowBase {
  readonly kind: "read" | "restart" | "resident";
  readonly keys: 200_000 | 1_000_000;
  readonly workload: string;
  readonly clients: number;
  readonly limit: number;
  /** Puts of new keys a second while pages are read. */
  readonly backgroundPuts: number;
  /** Where memory is looked at. */
  readonly moment: "filled" | "read" | "restarted" | "none";
  /** First version of etcd that can do it. */
  readonly since: readonly [major: number, minor: number];
}

export type Row = LoadRow | StreamRow | StoreRow | HoldRow;

export const valueBytes = 256;
/** Keys that the load rows write and read. */
export const loadKeys = 10_000;

/** 100 clients on 10 connections, 1,000 on 100, as etcd's own benchmarks are run. */
const crowds = [
  { clients: 1, connections: 1, requests: 2_000 },
  { clients: 100, connections: 10, requests: 40_000 },
  { clients: 1_000, connections: 100, requests: 40_000 },
] as const;

function atLeast(bound: number): Target {
  return { metric: "throughput", bound };
}

function loadTargets(workload: string, members: number, clients: number): readonly Target[] {
  if (clients === 1) return workload === "put" && members === 1 ? [{ metric: "p50", bound: 0.7 }] : [];
  switch (workload) {
    case "put":
      return members === 1 ? [atLeast(2.5), { metric: "serverCpu", bound: 0.2 }] : [atLeast(2)];
    case "compare-and-put":
      return [atLeast(2)];
    default:
      return [atLeast(2.5)];
  }
}

const loadWorkloads: readonly {
  readonly workload: string;
  readonly title: string;
  readonly writes: boolean;
}[] = [
  { workload: "put", title: `put ${valueBytes} B`, writes: true },
  { workload: "get", title: "linearizable get", writes: false },
  { workload: "serializable-get", title: "serializable get", writes: false },
  { workload: "compare-and-put", title: "txn compare-and-put", writes: true },
];

function loadRows(): readonly LoadRow[] {
  const rows: LoadRow[] = [];
  for (const members of [1, 3] as const) {
    for (const { workload, title, writes } of loadWorkloads) {
      for (const crowd of crowds) {
        const { clients, connections } = crowd;
        const people = clients === 1 ? "1 client" : `${clients.toLocaleString("en")} clients`;
        rows.push({
          ...{ kind: "load", members, workload, clients, connections },
          id: `${workload}-${members}m-${clients}c`,
          title: `${title}, ${members} member${members === 1 ? "" : "s"}, ${people}`,
          requests: writes ? crowd.requests : 0,
          targets: loadTargets(workload, members, clients),
        });
      }
    }
  }
  return rows;
}

function storeRows(keys: 200_000 | 1_000_000): readonly StoreRow[] {
  const many = keys.toLocaleString("en");
  const short = keys === 200_000 ? "200k" : "1m";
  const limit = keys === 200_000 ? 1_000 : 500;
  const pages = atLeast(keys === 200_000 ? 50 : 200);
  const common = { kind: "read", keys, clients: 8, limit: 0, backgroundPuts: 0, moment: "none" } as const;
  const restart: Target = { metric: "restart", bound: 0.5 };
  const resident: Target = { metric: "resident", bound: 0.8 };
  const memory = (moment: "filled" | "read" | "restarted", when: string): StoreRow => ({
    ...{ ...common, kind: "resident", workload: "", moment, since: [3, 0] },
    id: `resident-${short}-${moment}`,
    title: `resident memory, ${many} keys of ${valueBytes} B, ${when}`,
    targets: [resident],
  });
  const read = (workload: string, title: string, more: Partial<StoreRow>): StoreRow => ({
    ...{ ...common, workload, title, targets: [], since: [3, 0] },
    id: `${workload}-${short}`,
    ...more,
  });
  const wholeReads: readonly StoreRow[] = [
    read("count", `count of ${many} keys`, { targets: [atLeast(100)] }),
    read("full", `full read of ${many} keys, unary`, { clients: 1, targets: [atLeast(1.5)] }),
    read("full-stream", `full read of ${many} keys, RangeStream`, {
      ...{ clients: 1, targets: [atLeast(1.5)], since: [3, 7] },
    }),
  ];
  return [
    memory("filled", "after they were put"),
    read("page", `page of ${limit.toLocaleString("en")} from ${many}`, { limit, targets: [pages] }),
    read("walk", `pages of ${limit.toLocaleString("en")} through ${many}, at the first page's revision`, {
      ...{ limit, targets: [pages], backgroundPuts: 50 },
    }),
    ...(keys === 200_000 ? wholeReads : wholeReads.slice(0, 1).map((row) => ({ ...row, targets: [] }))),
    ...(keys === 200_000 ? [{ ...memory("read", "after they were read"), targets: [] }] : []),
    {
      ...{ ...common, kind: "restart", workload: "probe", since: [3, 0], targets: [restart] },
      id: `restart-${short}`,
      title: `restart to first read, ${many} keys`,
    },
    memory("restarted", "after a restart"),
  ];
}

export const rows: readonly Row[] = [
  ...loadRows(),
  ...streamRows,
  ...storeRows(200_000),
  ...storeRows(1_000_000),
  ...holdRows,
];
