/**
 * The lease of every key that has one, so that a put or delete knows from which lease to take its key without
 * reading the old pair. The lease room keeps the other direction (see LeaseBook).
 */
import type { LeaseId } from "../base/brand.js";
import type { LeaseBook } from "./contract.js";

export class LeasedKeys {
  private readonly leaseByKey = new Map<string, LeaseId>();

  constructor(private readonly book: LeaseBook) {}

  exists(lease: LeaseId): boolean {
    return this.book.exists(lease);
  }

  /** Hangs `key` on `lease`, which exists; 0: on none. */
  move(key: string, lease: LeaseId): void {
    if (lease === 0n && this.leaseByKey.size === 0) return;
    const before = this.leaseByKey.get(key) ?? 0n;
    if (before === lease) return;
    if (before !== 0n) this.book.detach(before, key);
    if (lease === 0n) {
      this.leaseByKey.delete(key);
      return;
    }
    this.leaseByKey.set(key, lease);
    this.book.attach(lease, key);
  }

  /** As `move`, without telling the book: during a restore the newest revision of a key is not known yet. */
  restore(key: string, lease: LeaseId): void {
    if (lease !== 0n) this.leaseByKey.set(key, lease);
    else if (this.leaseByKey.size > 0) this.leaseByKey.delete(key);
  }

  /** Attaches all restored keys, in key order. A lease that is not there any more lost its keys to its end. */
  finishRestore(): void {
    for (const key of [...this.leaseByKey.keys()].sort()) {
      const lease = this.leaseByKey.get(key)!;
      if (this.book.exists(lease)) this.book.attach(lease, key);
      else this.leaseByKey.delete(key);
    }
  }
}
