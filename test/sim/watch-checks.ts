/**
 * What one watch is told, held against the history answer by answer, over all members that it is resumed at. The
 * header of an answer says up to which revision the watch has got everything; so the events of an answer must be
 * just those that were written to its keys after the answer before it, up to that revision. That is all promises at
 * once: *ordered*, *unique*, *reliable*, *atomic*, *resumable*, *bookmarkable*, *filtered*; a breach is reported by
 * the name of the one that it breaks first. (cluster-test/watch-checker.ts, which has no history to ask while a run
 * goes on, comes to the same names at its end.)
 */
import { equalBytes } from "../../src/base/bytes.js";
import type { Change } from "../../src/mvcc/changes.js";
import { decodeKeyValue, storedKey } from "../../src/mvcc/key-value.js";
import type { Coverage } from "./coverage.js";
import type { History } from "./history.js";
import { Violation } from "./violation.js";
import type { WatchEvent, WatchSpec } from "./watch-wire.js";

export interface WatchCheckDeps {
  readonly history: History;
  readonly coverage: Coverage;
}

export class WatchCheck {
  /** Everything that was asked for below it has come; undefined: begins with what the service says. */
  next: number | undefined;

  constructor(
    readonly name: string,
    readonly spec: WatchSpec,
    startRevision: number,
    private readonly deps: WatchCheckDeps,
  ) {
    this.next = startRevision === 0 ? undefined : startRevision;
  }

  /** The watch was made by a member that stands at `revision`. */
  created(revision: number): void {
    this.next ??= revision + 1;
  }

  /** A whole answer with events. `compacted`: by the member that gave it. Errors: Violation. */
  events(events: readonly WatchEvent[], revision: number, compacted: number): void {
    if (revision > this.deps.history.revision)
      throw this.breach("true", `a header of revision ${revision}, which nobody wrote`);
    const expected = this.expected(revision);
    const lastRevision = revisionOf(events.at(-1)!);
    for (let at = 0; at < Math.max(expected.length, events.length); at++) {
      this.compare(events[at], expected[at], { compacted, lastRevision });
    }
    this.next = Math.max(this.next!, revision + 1);
  }

  /** The watch was told that it has got everything up to `revision`. Errors: Violation. */
  progress(revision: number): void {
    if (this.next === undefined || revision < this.next - 1 || revision > this.deps.history.revision)
      throw this.breach("bookmarkable", `progress at ${revision}, it waits for ${this.next}`);
    const missing = this.expected(revision)[0];
    if (missing !== undefined)
      throw this.breach(
        "bookmarkable",
        `progress at ${revision} overtakes ${missing.key}@${missing.main}, it waits for ${this.next}`,
      );
    this.next = revision + 1;
  }

  /** The watch was ended by a compaction. `compacted`: by the member that says so. Errors: Violation. */
  compacted(compactRevision: number, compacted: number): void {
    const { next } = this;
    if (next !== undefined && next < compactRevision && compactRevision === compacted) return;
    throw this.breach("compacted", `it waits for ${next} and is ended by ${compactRevision} of ${compacted}`);
  }

  private compare(
    came: WatchEvent | undefined,
    wanted: Change | undefined,
    at: { readonly compacted: number; readonly lastRevision: number },
  ): void {
    if (came === undefined) {
      const promise = wanted!.main === at.lastRevision ? "atomic" : "reliable";
      throw this.breach(promise, `${wanted!.key}@${wanted!.main} is missing`);
    }
    const revision = revisionOf(came);
    const name = `${storedKey(came.pair)}@${revision}`;
    if (wanted === undefined || wanted.main !== revision || wanted.key !== storedKey(came.pair)) {
      if (revision < this.next!) throw this.breach("unique", `${name} came, it waits for ${this.next}`);
      if (wanted !== undefined && revision > wanted.main)
        throw this.breach("reliable", `${wanted.key}@${wanted.main} is missing before ${name}`);
      throw this.breach("filtered", `${name} came, which was not to come now`);
    }
    if (came.kind !== wanted.kind || !equalBytes(came.pair, wanted.keyValue))
      throw this.breach("true", `${name} came as ${came.kind}, and is a ${wanted.kind} of other content`);
    this.compareOrigin(came, wanted, at.compacted);
  }

  /** What was there before the write, as the event shows it. */
  private compareOrigin(came: WatchEvent, { kind, key, main }: Change, compacted: number): void {
    const { history, coverage } = this.deps;
    const before = history.pairBefore(key, main);
    if (kind === "put") {
      const { createRevision, version } = decodeKeyValue(came.pair);
      const createsKey = createRevision === main && version === 1;
      if (createsKey !== (before === undefined))
        throw this.breach("created", `${key}@${main} has version ${version}, created at ${createRevision}`);
    }
    const expected = this.spec.prevKv ? before : undefined;
    if (came.previous === undefined && (expected === undefined || main - 1 < compacted)) {
      if (expected !== undefined) coverage.hit("watch/previous pair compacted");
      return;
    }
    if (came.previous === undefined || expected === undefined || !equalBytes(came.previous, expected))
      throw this.breach("previous", `${key}@${main} shows another pair before it than there was`);
  }

  /** What was written to its keys from `next` to `revision`. */
  private expected(revision: number): Change[] {
    const found: Change[] = [];
    for (let main = this.next!; main <= revision; main++) {
      for (const change of this.deps.history.changesAt(main)) if (this.wants(change)) found.push(change);
    }
    return found;
  }

  private wants({ kind, key }: Change): boolean {
    const { spec } = this;
    if (kind === "put" ? spec.noPut : spec.noDelete) return false;
    if (spec.rangeEnd === "") return key === spec.key;
    return key >= spec.key && (spec.rangeEnd === "\0" || key < spec.rangeEnd);
  }

  private breach(promise: string, text: string): Violation {
    return new Violation(`watch ${promise}`, `${this.name}: ${text}`);
  }
}

function revisionOf({ pair }: WatchEvent): number {
  return decodeKeyValue(pair).modRevision;
}
