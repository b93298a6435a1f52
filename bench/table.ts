/** The figures as people read them. */
import type { RowResult, Side, TableResult } from "./results.js";
import { type Metric, median, metrics, ratio, reaches, type Target } from "./statistics.js";

export type Cell = string;

/** Three significant digits, as many as a measurement has; thousands are set apart. */
export function formatFigure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

export function figure(row: RowResult, side: Side, metric: Metric): number | undefined {
  const values = row.samples[side]?.[metric];
  return values === undefined || values.length === 0 ? undefined : median(values);
}

export function rowRatio(row: RowResult, metric: Metric): number | undefined {
  return ratio(figure(row, "ours", metric), figure(row, "etcd", metric));
}

const metricNames: Readonly<Record<Metric, string>> = {
  throughput: "throughput",
  p50: "latency",
  p99: "p99",
  serverCpu: "server CPU",
  generatorCpu: "generator CPU",
  restart: "time",
  resident: "memory",
  perItem: "memory of one",
};

/**
 * The ratio of throughputs that a server of no cost at all would reach: the generator would have all `cores` to
 * itself. Undefined for rows without a target for their throughput.
 */
export function ceiling(row: RowResult, cores: number): number | undefined {
  if (!row.targets.some(({ metric }) => metric === "throughput")) return undefined;
  const micros = figure(row, "ours", "generatorCpu");
  return ratio(micros === undefined ? undefined : (cores * 1e6) / micros, figure(row, "etcd", "throughput"));
}

/** "throughput 3.1 (≥ 2.5 ok)": the ratio beside what it has to be. */
export function verdict(row: RowResult, target: Target): string {
  const value = rowRatio(row, target.metric);
  const sign = metrics[target.metric].better === "more" ? "≥" : "≤";
  const wanted = `${sign} ${target.bound}`;
  if (value === undefined) return `${metricNames[target.metric]} – (${wanted})`;
  const word = reaches(target, value) ? "ok" : "MISSED";
  return `${metricNames[target.metric]} ${formatFigure(value)} (${wanted} ${word})`;
}

const loadHeader: readonly Cell[] = [
  ...["row", "ours /s", "etcd /s", "ratio", "p50 ms ours", "etcd", "p99 ms ours", "etcd"],
  ...["server CPU µs ours", "etcd", "ratio", "client CPU µs", "ceiling", "target"],
];
const singleHeader: readonly Cell[] = ["row", "ours", "etcd", "ratio", "target"];

function loadCells(row: RowResult, cores: number): readonly Cell[] {
  const pair = (metric: Metric): readonly Cell[] => [
    formatFigure(figure(row, "ours", metric)),
    formatFigure(figure(row, "etcd", metric)),
  ];
  const share = (metric: Metric): Cell => formatFigure(rowRatio(row, metric));
  const targets = row.targets.map((target) => verdict(row, target)).join(", ");
  return [
    row.title,
    ...[...pair("throughput"), share("throughput"), ...pair("p50"), ...pair("p99")],
    ...[...pair("serverCpu"), share("serverCpu")],
    ...[formatFigure(figure(row, "ours", "generatorCpu")), formatFigure(ceiling(row, cores)), targets],
  ];
}

function singleCells(row: RowResult, metric: Metric): readonly Cell[] {
  const { unit } = metrics[metric];
  const value = (side: Side): Cell => `${formatFigure(figure(row, side, metric))} ${unit}`;
  const targets = row.targets.map((target) => verdict(row, target)).join(", ");
  return [row.title, value("ours"), value("etcd"), formatFigure(rowRatio(row, metric)), targets];
}

function isLoad(row: RowResult): boolean {
  return row.samples.ours?.throughput !== undefined || row.samples.etcd?.throughput !== undefined;
}

/** A row with one figure has it under one name. */
function metricOf(row: RowResult): Metric {
  const [metric] = Object.keys({ ...row.samples.ours, ...row.samples.etcd });
  return (metric as Metric | undefined) ?? row.targets[0]?.metric ?? "resident";
}

/** Both tables as cells, headers first: rows under load, and rows with one figure. */
export function tables(rows: readonly RowResult[], cores: number): readonly (readonly (readonly Cell[])[])[] {
  const loads = rows.filter(isLoad);
  const singles = rows.filter((row) => !isLoad(row));
  const found: (readonly (readonly Cell[])[])[] = [];
  if (loads.length > 0) found.push([loadHeader, ...loads.map((row) => loadCells(row, cores))]);
  if (singles.length > 0) {
    found.push([singleHeader, ...singles.map((row) => singleCells(row, metricOf(row)))]);
  }
  return found;
}

/** Columns padded with spaces; figures to the right. */
export function plainTable(cells: readonly (readonly Cell[])[]): string {
  const widths = cells[0]!.map((_, at) => Math.max(...cells.map((line) => line[at]!.length)));
  const last = widths.length - 1;
  return cells
    .map((line) =>
      line
        .map((cell, at) => (at === 0 || at === last ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function markdownTable(cells: readonly (readonly Cell[])[]): string {
  const lines = cells.map((line) => `| ${line.join(" | ")} |`);
  const last = cells[0]!.length - 1;
  const rule = `|${cells[0]!.map((_, at) => (at === 0 || at === last ? "---" : "--:")).join("|")}|`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

/** One line about each target that was missed, with what could be reached at all. */
export function missed(rows: readonly RowResult[], cores: number): readonly string[] {
  return rows.flatMap((row) =>
    row.targets
      .filter((target) => {
        const value = rowRatio(row, target.metric);
        return value !== undefined && !reaches(target, value);
      })
      .map((target) => {
        const line = `${row.title}: ${verdict(row, target)}`;
        const most = target.metric === "throughput" ? ceiling(row, cores) : undefined;
        return most === undefined ? line : `${line}, ceiling ${formatFigure(most)}`;
      }),
  );
}

export function machineLine(
  result: Pick<TableResult, "machine" | "client" | "startedAt" | "versions">,
): string {
  const { machine, versions } = result;
  const { sync } = machine;
  const both = Object.entries(versions).map(
    ([side, version]) => `${side === "ours" ? "quorate" : "etcd"} ${version}`,
  );
  return [
    `${both.join(" beside ")}, ${result.startedAt}, load generator ${result.client}.`,
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GB, Linux ${machine.kernel},`,
    `Node.js ${machine.node}, ${machine.go}; write + fdatasync of 4 KiB: ${formatFigure(sync.p50Micros)} µs`,
    `(p99 ${formatFigure(sync.p99Micros)}); load average before the run ${machine.loadBefore.toFixed(1)},`,
    `after it ${machine.loadAfter.toFixed(1)}.`,
  ].join(" ");
}
