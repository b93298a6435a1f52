/**
 * How long requests took, by what they are and how they ended: etcd's histograms by "op" or "type" and "success".
 * A series is made when the first of its kind has ended.
 */
import type { Histogram } from "../base/metrics.js";
import { RequestField } from "./raft-request.js";

/** etcd's names; a transaction that only reads is no entry of the log, and has a name of its own. */
export type RequestName = keyof typeof RequestField | "ReadonlyTxn" | "Unknown";

const names: ReadonlyMap<number, RequestName> = new Map(
  Object.entries(RequestField).map(([name, field]) => [field, name as RequestName]),
);

/** Of the request that stands in this field of an entry. */
export function requestName(field: number): RequestName {
  return names.get(field) ?? "Unknown";
}

export class RequestTimes {
  private readonly succeeded = new Map<RequestName, Histogram>();
  private readonly failed = new Map<RequestName, Histogram>();

  constructor(private readonly series: (name: RequestName, success: string) => Histogram) {}

  observe(name: RequestName, success: boolean, durationMs: number): void {
    const known = success ? this.succeeded : this.failed;
    let histogram = known.get(name);
    if (histogram === undefined) {
      histogram = this.series(name, String(success));
      known.set(name, histogram);
    }
    histogram.observe(durationMs / 1_000);
  }
}
