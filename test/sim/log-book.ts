/**
 * Book of what the log of one member holds: of what is durable, not of what the member believes. It outlives the
 * processes, so that a start can be held to it: nothing that was durable may be missing.
 */
import type { Index, MemberId, Term } from "../../src/base/brand.js";
import type { LogAppend, RecoveredLog } from "../../src/ports/raft-log.js";
import { noMember } from "../../src/raft/message.js";
import type { Entry, HardState } from "../../src/raft/types.js";
import type { LogWatch } from "./simulated-log.js";
import { Violation } from "./violation.js";

export interface EntryWatch {
  /** An entry was written behind one of `termBefore` (undefined: it is not known here). */
  entry(entry: Entry, termBefore: Term | undefined): void;
  truncated(): void;
}

/** Terms of the entries behind `base`. */
class Terms {
  base: Index = 0;
  private terms: Term[] = [];

  get lastIndex(): Index {
    return this.base + this.terms.length;
  }

  /** Undefined at or below the base, and behind the end. */
  at(index: Index): Term | undefined {
    return index > this.base ? this.terms[index - this.base - 1] : undefined;
  }

  /** True where the entry is here, or below a snapshot that replaced it. */
  holds(index: Index, term: Term): boolean {
    return index <= this.base || this.at(index) === term;
  }

  put(index: Index, term: Term): void {
    if (index <= this.base) return;
    this.terms.length = index - this.base - 1;
    this.terms.push(term);
  }

  mark(index: Index, term: Term): void {
    const replaces = index > this.lastIndex || (index > this.base && this.at(index) !== term);
    if (replaces) this.reset(index);
  }

  reset(base: Index): void {
    this.base = base;
    this.terms = [];
  }
}

export class LogBook implements LogWatch {
  private readonly present = new Terms();
  private readonly durable = new Terms();
  private durableState: HardState = { term: 0, vote: 0n, commit: 0 };
  private unsynced: LogAppend[] = [];

  constructor(
    private readonly member: string,
    private readonly entries: EntryWatch,
  ) {}

  /** True where a power cut now would leave this entry, or a snapshot that contains it. */
  holds(index: Index, term: Term): boolean {
    return this.durable.holds(index, term);
  }

  written(append: LogAppend): void {
    this.unsynced.push(append);
    put(this.present, append, this.entries);
  }

  synced(): void {
    for (const append of this.unsynced) {
      put(this.durable, append, undefined);
      if (append.hardState !== undefined) this.durableState = append.hardState;
    }
    this.unsynced = [];
  }

  /** The newest term that the disk knows. */
  get durableTerm(): Term {
    return this.durableState.term;
  }

  /** A start read the log. Errors: Violation where something durable is missing. */
  recovered(recovered: RecoveredLog): void {
    const { mark, entries, hardState } = recovered;
    this.check(recovered);
    this.present.reset(mark.index);
    this.durable.reset(mark.index);
    for (const entry of entries) {
      this.present.put(entry.index, entry.term);
      this.durable.put(entry.index, entry.term);
    }
    this.durableState = hardState;
    this.unsynced = [];
  }

  /** A process goes on from here. Errors: Violation where it has forgotten a vote that its disk remembers. */
  started(term: Term, vote: MemberId): void {
    const { durableState, member } = this;
    const forgot = durableState.vote !== noMember && term === durableState.term && vote !== durableState.vote;
    if (!forgot && term >= durableState.term) return;
    const text = `${member} goes on with vote ${vote} in term ${term}, its disk says ${durableState.vote} in ${durableState.term}`;
    throw new Violation("durable vote", text);
  }

  private check({ mark, entries, hardState }: RecoveredLog): void {
    const { durable, durableState, member } = this;
    for (let index = Math.max(durable.base, mark.index) + 1; index <= durable.lastIndex; index++) {
      const found = entries[index - mark.index - 1]?.term;
      if (found === durable.at(index)) continue;
      // A later record that was not synced may have replaced the tail, by a newer term only.
      if (found !== undefined && found > durable.at(index)!) return;
      const text = `entry ${index} of term ${durable.at(index)} was durable on ${member}, a start found term ${found}`;
      throw new Violation("durable log", text);
    }
    const { term, vote } = durableState;
    if (hardState.term < term || (hardState.term === term && vote !== 0n && hardState.vote !== vote)) {
      const text = `${member} had durably voted for ${vote} in term ${term}; a start found ${hardState.vote} in ${hardState.term}`;
      throw new Violation("durable vote", text);
    }
  }
}

/** Entries, then the mark; but a mark right before the entries comes first, as in the log itself. */
function put(terms: Terms, { entries, mark }: LogAppend, watch: EntryWatch | undefined): void {
  const first = entries[0];
  const markLeads = mark !== undefined && first?.index === mark.index + 1;
  if (markLeads) terms.mark(mark.index, mark.term);
  if (first !== undefined && first.index <= terms.lastIndex && first.index > terms.base) watch?.truncated();
  for (const entry of entries) {
    watch?.entry(entry, terms.at(entry.index - 1));
    terms.put(entry.index, entry.term);
  }
  if (mark !== undefined && !markLeads) terms.mark(mark.index, mark.term);
}
