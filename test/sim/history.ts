/**
 * The one true history: the committed log as the first member to commit an entry has it, and what the first member
 * to apply an entry made of it. Everyone after is compared with it, and what clients see is compared with it.
 */
import type { Index, LeaseId, Revision, Term } from "../../src/base/brand.js";
import { equalBytes } from "../../src/base/bytes.js";
import type { Change } from "../../src/mvcc/changes.js";
import type { RevisionRecord } from "../../src/mvcc/contract.js";
import { storedKey, storedLease } from "../../src/mvcc/key-value.js";
import { type ConfState, type Entry, emptyConfState } from "../../src/raft/types.js";
import { Violation } from "./violation.js";

/** What an entry did, in a form that members can be compared in. */
export interface AppliedEntry {
  readonly requestId: bigint;
  readonly outcome: string;
  readonly revision: Revision;
  readonly compacted: Revision;
}

interface CommittedEntry {
  readonly entry: Entry;
  /** The term of the member that was first seen to have committed it. */
  readonly committedIn: Term;
}

interface Version {
  readonly main: Revision;
  readonly sub: number;
  /** Bytes of the stored pair; undefined for a tombstone. */
  readonly pair: Uint8Array | undefined;
}

export class History {
  private readonly log: CommittedEntry[] = [];
  private readonly applied: (AppliedEntry | undefined)[] = [];
  private readonly changes = new Map<
    Revision,
    { readonly index: Index; readonly changes: readonly Change[] }
  >();
  private readonly versions = new Map<string, Version[]>();
  private readonly byRequest = new Map<bigint, Index>();
  /** Configurations by the index that made them, in ascending order. */
  private readonly configurations: { readonly index: Index; readonly confState: ConfState }[] = [];
  private newestRevision: Revision = 1;
  private newestCompaction: Revision = -1;

  get lastIndex(): Index {
    return this.log.length;
  }

  get revision(): Revision {
    return this.newestRevision;
  }

  get compacted(): Revision {
    return this.newestCompaction;
  }

  committed(index: Index): CommittedEntry | undefined {
    return this.log[index - 1];
  }

  /** `member` has committed `entry`. Errors: Violation where another stands there. */
  commit(member: string, entry: Entry, term: Term): void {
    const known = this.log[entry.index - 1];
    if (known === undefined) {
      if (entry.index !== this.log.length + 1) {
        throw new Violation(
          "committed log",
          `${member} committed ${entry.index}, nobody has ${this.log.length + 1}`,
        );
      }
      this.log.push({ entry, committedIn: term });
      return;
    }
    if (known.entry.term === entry.term && sameData(known.entry, entry)) return;
    const text = `${member} committed entry ${entry.index} of term ${entry.term}, others one of term ${known.entry.term}`;
    throw new Violation("state machine safety", text);
  }

  /** `member` applied the entry at `index`. Errors: Violation where it came to another result, or applied a request twice. */
  apply(member: string, index: Index, applied: AppliedEntry): void {
    const known = this.applied[index];
    if (known === undefined) {
      this.applied[index] = applied;
      this.newestCompaction = Math.max(this.newestCompaction, applied.compacted);
      this.addRequest(index, applied.requestId);
      return;
    }
    for (const field of ["outcome", "revision", "compacted"] as const) {
      if (known[field] === applied[field]) continue;
      const text = `at index ${index} ${member} has ${field} ${applied[field]}, another member ${known[field]}`;
      throw new Violation("state machine safety", text);
    }
  }

  /** `member` wrote `changes` while it applied the entry at `index`. */
  write(member: string, index: Index, revision: Revision, changes: readonly Change[]): void {
    const known = this.changes.get(revision);
    if (known === undefined) {
      this.learn(index, revision, changes);
      return;
    }
    const same =
      known.index === index &&
      known.changes.length === changes.length &&
      known.changes.every((change, at) => sameChange(change, changes[at]!));
    if (same) return;
    const text = `${member} made revision ${revision} at index ${index}, unlike another member at index ${known.index}`;
    throw new Violation("state machine safety", text);
  }

  /** The newest configuration that any member has applied. */
  get configuration(): ConfState {
    return this.configurations.at(-1)?.confState ?? emptyConfState;
  }

  /** The index that made it. */
  get configurationIndex(): Index {
    return this.configurations.at(-1)?.index ?? 0;
  }

  /** `member` applied a change of the configuration. */
  configure(member: string, index: Index, confState: ConfState): void {
    const last = this.configurations.at(-1);
    if (last === undefined || index > last.index) this.configurations.push({ index, confState });
    else this.checkConfiguration(member, index, confState);
  }

  /** Errors: Violation where `member` has another configuration at `index` than the others had. */
  checkConfiguration(member: string, index: Index, confState: ConfState): void {
    const known =
      this.configurations.filter((other) => other.index <= index).at(-1)?.confState ?? emptyConfState;
    if (configurationText(known) === configurationText(confState)) return;
    const text = `at index ${index} ${member} has ${configurationText(confState)}, others ${configurationText(known)}`;
    throw new Violation("configuration", text);
  }

  /** The index at which a request was applied; undefined where it never was. */
  indexOf(requestId: bigint): Index | undefined {
    return this.byRequest.get(requestId);
  }

  appliedAt(index: Index): AppliedEntry | undefined {
    return this.applied[index];
  }

  /** What was written at `revision`; nothing where nobody wrote it yet. */
  changesAt(revision: Revision): readonly Change[] {
    return this.changes.get(revision)?.changes ?? [];
  }

  /** The pair of a key before `revision`; undefined where it did not exist. */
  pairBefore(key: string, revision: Revision): Uint8Array | undefined {
    return newestUpTo(this.versions.get(key) ?? [], revision - 1)?.pair;
  }

  /** Keys on a lease at `revision`, in order. */
  keysOn(lease: LeaseId, revision: Revision): string[] {
    const keys: string[] = [];
    for (const [key, versions] of this.versions) {
      const pair = newestUpTo(versions, revision)?.pair;
      if (pair !== undefined && storedLease(pair) === lease) keys.push(key);
    }
    return keys.sort();
  }

  wasEverOn(lease: LeaseId, key: string): boolean {
    const versions = this.versions.get(key) ?? [];
    return versions.some(({ pair }) => pair !== undefined && storedLease(pair) === lease);
  }

  indexOfRevision(revision: Revision): Index | undefined {
    return this.changes.get(revision)?.index;
  }

  /** Pairs of the range at a revision, in key order. `end` undefined: the one key. */
  read(start: string, end: string | undefined, revision: Revision): Uint8Array[] {
    const pairs: Uint8Array[] = [];
    for (const key of [...this.versions.keys()].sort()) {
      if (end === undefined ? key !== start : key < start || key >= end) continue;
      const pair = newestUpTo(this.versions.get(key)!, revision)?.pair;
      if (pair !== undefined) pairs.push(pair);
    }
    return pairs;
  }

  /**
   * Holds the content of a store at `revision`, compacted at `compacted`, against the history: nothing altered or
   * made up, nothing alive missing. Errors: Violation.
   */
  checkStored(
    member: string,
    records: readonly RevisionRecord[],
    at: { revision: Revision; compacted: Revision },
  ): void {
    const found = new Set<string>();
    for (const record of records) {
      const { main, sub } = record;
      const change = this.changes.get(main)?.changes[sub];
      if (change === undefined || main > at.revision || !isSameRecord(record, change)) {
        throw new Violation(
          "stored revisions",
          `the store of ${member} holds ${main}.${sub}, which nobody wrote so`,
        );
      }
      found.add(`${main}.${sub}`);
    }
    for (const [key, versions] of this.versions) {
      for (const version of versions) {
        if (version.main > at.revision || !isAlive(version, versions, at.compacted)) continue;
        if (found.has(`${version.main}.${version.sub}`)) continue;
        const text = `the store of ${member} at ${at.revision} lacks ${version.main}.${version.sub} of ${key}`;
        throw new Violation("stored revisions", text);
      }
    }
  }

  private addRequest(index: Index, requestId: bigint): void {
    if (requestId === 0n) return;
    const before = this.byRequest.get(requestId);
    if (before !== undefined) {
      throw new Violation("applied once", `request ${requestId} was applied at ${before} and at ${index}`);
    }
    this.byRequest.set(requestId, index);
  }

  private learn(index: Index, revision: Revision, changes: readonly Change[]): void {
    if (revision !== this.newestRevision + 1) {
      throw new Violation(
        "revisions",
        `revision ${revision} follows ${this.newestRevision} at index ${index}`,
      );
    }
    this.newestRevision = revision;
    this.changes.set(revision, { index, changes });
    for (const { kind, key, keyValue, main, sub } of changes) {
      const versions = this.versions.get(key) ?? [];
      versions.push({ main, sub, pair: kind === "put" ? keyValue : undefined });
      this.versions.set(key, versions);
    }
  }
}

function configurationText({ voters, learners, votersOutgoing, learnersNext, autoLeave }: ConfState): string {
  return `voters ${voters} learners ${learners} outgoing ${votersOutgoing} next ${learnersNext} ${autoLeave}`;
}

function sameData(a: Entry, b: Entry): boolean {
  return a === b || (a.type === b.type && equalBytes(a.data, b.data));
}

function sameChange(a: Change, b: Change): boolean {
  return a.kind === b.kind && a.key === b.key && a.sub === b.sub && equalBytes(a.keyValue, b.keyValue);
}

/** A stored tombstone holds the key alone. */
function isSameRecord(record: RevisionRecord, change: Change): boolean {
  if (record.tombstone !== (change.kind === "delete")) return false;
  if (record.tombstone) return storedKey(record.keyValue) === change.key;
  return equalBytes(record.keyValue, change.keyValue);
}

function newestUpTo(versions: readonly Version[], revision: Revision): Version | undefined {
  for (let at = versions.length - 1; at >= 0; at--) if (versions[at]!.main <= revision) return versions[at];
  return undefined;
}

/** Whether a compaction at `compacted` must keep it. */
function isAlive(version: Version, versions: readonly Version[], compacted: Revision): boolean {
  if (version.main > compacted) return true;
  return version.pair !== undefined && newestUpTo(versions, compacted) === version;
}
