/**
 * Counters, gauges and histograms in Prometheus's text format (version 0.0.4). Increments are one addition on a
 * field; all text is made when somebody asks for it. Which metrics there are is in metric-catalogue.ts.
 */
import { assert } from "./assert.js";
import { type MetricName, type MetricSpec, metricCatalogue } from "./metric-catalogue.js";

/** Goes up only. */
export class Counter {
  value = 0;

  /** Adds `by`, which is not negative. */
  add(by = 1): void {
    this.value += by;
  }
}

/** Goes up and down, or is read when asked for. */
export class Gauge {
  private read: () => number = () => 0;

  set(value: number): void {
    this.read = () => value;
  }

  /** From now on the value is what `read` gives at the time of each scrape. */
  follow(read: () => number): void {
    this.read = read;
  }

  get value(): number {
    return this.read();
  }
}

/** Counts observations in buckets by upper bound. */
export class Histogram {
  /** One more than there are bounds: the last is for what is above all. Not cumulative. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.counts[at]!++;
    this.sum += value;
  }
}

type Series = Counter | Gauge | Histogram;
type NameOf<Kind extends MetricSpec["kind"]> = {
  [Name in MetricName]: (typeof metricCatalogue)[Name]["kind"] extends Kind ? Name : never;
}[MetricName];
export type CounterName = NameOf<"counter">;
export type GaugeName = NameOf<"gauge">;
export type HistogramName = NameOf<"histogram">;

/** Series of one metric by the text of their labels. The labels' values come from code, so there are few. */
type Family = Map<string, Series>;

/**
 * Every metric of the catalogue is there from the start; one without labels has its series at zero. Asking for a
 * series makes it, so whoever increments often asks once and keeps it.
 */
export class MetricRegistry {
  private readonly families = new Map<MetricName, Family>();

  constructor() {
    for (const name of metricNames) {
      this.families.set(name, new Map());
      if (labelsOf(name).length === 0) this.series(name, []);
    }
  }

  /** `labelValues` in the order of the catalogue's label names. */
  counter(name: CounterName, ...labelValues: readonly string[]): Counter {
    return this.series(name, labelValues) as Counter;
  }

  gauge(name: GaugeName, ...labelValues: readonly string[]): Gauge {
    return this.series(name, labelValues) as Gauge;
  }

  /** From now on a counter without labels is what `read` gives at the time of each scrape. */
  follow(name: CounterName, read: () => number): void {
    assert(labelsOf(name).length === 0, `metric ${name} has labels`);
    const series = new Gauge();
    series.follow(read);
    this.families.get(name)!.set("", series);
  }

  histogram(name: HistogramName, ...labelValues: readonly string[]): Histogram {
    return this.series(name, labelValues) as Histogram;
  }

  /** Drops the series of a metric whose labels name things that come and go. */
  forget(name: GaugeName): void {
    this.families.get(name)!.clear();
  }

  /** Everything, sorted by name and labels. */
  text(): string {
    const lines: string[] = [];
    for (const name of metricNames) {
      const family = this.families.get(name)!;
      if (family.size === 0) continue;
      const spec = metricCatalogue[name];
      lines.push(`# HELP ${name} ${spec.help}`, `# TYPE ${name} ${spec.kind}`);
      for (const labels of [...family.keys()].sort()) writeSeries(lines, name, labels, family.get(labels)!);
    }
    return `${lines.join("\n")}\n`;
  }

  private series(name: MetricName, labelValues: readonly string[]): Series {
    const names = labelsOf(name);
    assert(names.length === labelValues.length, `metric ${name} has ${names.length} labels`);
    // Prometheus's Go client writes labels by their names, and scripts look for whole lines.
    const labels = names
      .map((label, at) => `${label}="${escapeLabel(labelValues[at]!)}"`)
      .sort()
      .join(",");
    const family = this.families.get(name)!;
    const known = family.get(labels);
    if (known !== undefined) return known;
    const made = makeSeries(metricCatalogue[name]);
    family.set(labels, made);
    return made;
  }
}

const metricNames = Object.keys(metricCatalogue).sort() as readonly MetricName[];

function labelsOf(name: MetricName): readonly string[] {
  const spec: MetricSpec = metricCatalogue[name];
  return spec.labels ?? [];
}

function makeSeries(spec: MetricSpec): Series {
  switch (spec.kind) {
    case "counter":
      return new Counter();
    case "gauge":
      return new Gauge();
    case "histogram":
      return new Histogram(spec.bounds);
  }
}

function writeSeries(lines: string[], name: MetricName, labels: string, series: Series): void {
  if (!(series instanceof Histogram)) {
    lines.push(`${name}${braced(labels)} ${numberText(series.value)}`);
    return;
  }
  const prefix = labels === "" ? "" : `${labels},`;
  let total = 0;
  series.bounds.forEach((bound, at) => {
    total += series.counts[at]!;
    lines.push(`${name}_bucket{${prefix}le="${numberText(bound)}"} ${total}`);
  });
  total += series.counts[series.bounds.length]!;
  lines.push(`${name}_bucket{${prefix}le="+Inf"} ${total}`);
  lines.push(
    `${name}_sum${braced(labels)} ${numberText(series.sum)}`,
    `${name}_count${braced(labels)} ${total}`,
  );
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

/** JSON has no infinities, Prometheus has. */
function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
