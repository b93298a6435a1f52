/**
 * Small durable records beside the revisions: members, alarms, leases, users, the applied index. What is set
 * becomes durable together with the revisions of the same applied entries, whole or not at all.
 */
export interface StateRecords {
  /** As last set, durable or not. */
  getState(key: string): Uint8Array | undefined;
  /** Sets or (undefined) removes a record. Keys are ASCII; prefixes are registered in storage/leveldb/keys.ts. */
  setState(key: string, value: Uint8Array | undefined): void;
  /** All records whose key starts with `prefix`, in key order. */
  listState(prefix: string): readonly (readonly [key: string, value: Uint8Array])[];
}
