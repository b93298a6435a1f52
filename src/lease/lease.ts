/** One lease: what the log says of it, which is the same on every member, and beside it the leader's countdown. */
import type { LeaseId } from "../base/brand.js";
import { ProtoReader, ProtoWriter } from "../base/protowire.js";
import type { Countdown } from "./countdown.js";

const idField = 1;
const ttlField = 2;
const remainingField = 3;

export class Lease {
  /** Seconds that were left at the last checkpoint in the log; 0: none since it was granted or renewed. */
  remainingSeconds = 0;
  /** There only at the leader, from the moment when it has applied what came before its term. */
  countdown: Countdown | undefined;
  /** Most leases carry one key: a set only where there are more. */
  private attached: string | Set<string> | undefined;

  constructor(
    readonly id: LeaseId,
    readonly ttlSeconds: number,
  ) {}

  /** Latin1, in key order. */
  get keys(): readonly string[] {
    const { attached } = this;
    if (attached === undefined) return [];
    return typeof attached === "string" ? [attached] : [...attached].sort();
  }

  attach(key: string): void {
    const { attached } = this;
    if (attached === undefined) this.attached = key;
    else if (typeof attached !== "string") attached.add(key);
    else if (attached !== key) this.attached = new Set([attached, key]);
  }

  detach(key: string): void {
    const { attached } = this;
    if (attached === key) this.attached = undefined;
    else if (attached instanceof Set) attached.delete(key);
  }
}

/** leasepb.Lease */
export function encodeLease(lease: Lease): Uint8Array {
  const writer = new ProtoWriter(32);
  writer.bigField(idField, lease.id);
  writer.int64Field(ttlField, lease.ttlSeconds);
  writer.int64Field(remainingField, lease.remainingSeconds);
  return writer.finish();
}

/** Throws ProtoError. */
export function decodeLease(bytes: Uint8Array): Lease {
  const reader = new ProtoReader(bytes);
  let id: LeaseId = 0n;
  let ttlSeconds = 0;
  let remainingSeconds = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === idField << 3) id = reader.int64Big();
    else if (tag === ttlField << 3) ttlSeconds = reader.int64();
    else if (tag === remainingField << 3) remainingSeconds = reader.int64();
    else reader.skip(tag);
  }
  const lease = new Lease(id, ttlSeconds);
  lease.remainingSeconds = remainingSeconds;
  return lease;
}
