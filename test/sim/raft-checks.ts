/**
 * The promises of Raft (thesis, figure 3.2), held against every member after every event: election safety, log
 * matching, leader completeness, state machine safety; and that what is committed is durable on a quorum.
 */
import type { Index, MemberId, Term } from "../../src/base/brand.js";
import { equalBytes } from "../../src/base/bytes.js";
import type { Message } from "../../src/raft/message.js";
import type { RaftNode, Role } from "../../src/raft/node.js";
import type { ConfState, Entry } from "../../src/raft/types.js";
import type { Coverage } from "./coverage.js";
import type { History } from "./history.js";
import type { EntryWatch, LogBook } from "./log-book.js";
import { Violation } from "./violation.js";

/** What was last seen of one process. */
export interface Seen {
  term: Term;
  role: Role;
  commit: Index;
  config: ConfState;
}

export function unseen(raft: RaftNode): Seen {
  const { term, role, tracker } = raft.state;
  // What a start believes to be committed is checked like everything else, from what its log still has.
  return { term, role, commit: raft.state.log.firstIndex() - 1, config: tracker.config };
}

export interface RaftChecksDeps {
  readonly history: History;
  readonly books: ReadonlyMap<MemberId, LogBook>;
  readonly coverage: Coverage;
}

export class RaftChecks implements EntryWatch {
  private readonly leaders = new Map<Term, MemberId>();
  private readonly votes = new Map<string, MemberId>();
  /** Every entry that was ever written: by index and term, with the term of the one before it. */
  private readonly written = new Map<number, { readonly entry: Entry; termBefore: Term | undefined }>();

  constructor(private readonly deps: RaftChecksDeps) {}

  /** Compares a member with what was last seen of it. Errors: Violation. */
  afterEvent(raft: RaftNode, seen: Seen): void {
    const { state } = raft;
    const { term, role } = state;
    const { committed } = state.log;
    if (committed !== seen.commit) this.commitAdvanced(raft, seen);
    if (role !== seen.role || term !== seen.term) {
      if (role === "leader") this.elected(raft);
      else if (seen.role === "leader") this.deps.coverage.hit("leader/deposed");
      seen.role = role;
      seen.term = term;
    }
    seen.config = state.tracker.config;
  }

  /**
   * A vote counts from when it leaves the voter. Errors: Violation where it was given twice in a term, or asked for
   * by a candidate whose disk does not know the term: it could lead in it twice.
   */
  sent(message: Message): void {
    if (message.type === "MsgVote") {
      const durable = this.deps.books.get(message.from)!.durableTerm;
      if (durable >= message.term) return;
      const text = `${message.from} asks for votes in term ${message.term}, and its disk is in term ${durable}`;
      throw new Violation("candidate's term is durable", text);
    }
    if (message.type !== "MsgVoteResp" || message.reject) return;
    const key = `${message.from} in ${message.term}`;
    const before = this.votes.get(key);
    if (before !== undefined && before !== message.to) {
      throw new Violation("one vote a term", `${key} voted for ${before} and for ${message.to}`);
    }
    this.votes.set(key, message.to);
  }

  truncated(): void {
    this.deps.coverage.hit("log/conflict truncated");
  }

  /**
   * Log matching by induction: wherever an entry of this index and term is written, it holds the same and stands
   * behind an entry of the same term.
   */
  entry(entry: Entry, termBefore: Term | undefined): void {
    const key = entry.index * 2 ** 20 + entry.term;
    const known = this.written.get(key);
    if (known === undefined) {
      this.written.set(key, { entry, termBefore });
      return;
    }
    const sameBefore =
      known.termBefore === undefined || termBefore === undefined || known.termBefore === termBefore;
    known.termBefore ??= termBefore;
    if (sameBefore && (known.entry === entry || equalBytes(known.entry.data, entry.data))) return;
    throw new Violation("log matching", `two entries at index ${entry.index} of term ${entry.term}`);
  }

  private elected({ state }: RaftNode): void {
    const { history, coverage } = this.deps;
    const { term, id, log } = state;
    const other = this.leaders.get(term);
    if (other !== undefined && other !== id) {
      throw new Violation("election safety", `${other} and ${id} both lead in term ${term}`);
    }
    this.leaders.set(term, id);
    coverage.hit("leader/elected");
    for (let index = log.firstIndex(); index <= history.lastIndex; index++) {
      const { entry, committedIn } = history.committed(index)!;
      if (committedIn >= term || log.term(index) === entry.term) continue;
      const text = `the leader ${id} of term ${term} lacks entry ${index}, committed in term ${committedIn}`;
      throw new Violation("leader completeness", text);
    }
  }

  private commitAdvanced({ state }: RaftNode, seen: Seen): void {
    const { history } = this.deps;
    const { log, term, id } = state;
    const name = id.toString(16);
    const from = Math.max(seen.commit + 1, log.firstIndex());
    const isNews = log.committed > history.lastIndex;
    for (let index = from; index <= log.committed; index++) history.commit(name, log.entry(index), term);
    if (isNews)
      this.checkDurable(log.committed, log.term(log.committed)!, [state.tracker.config, seen.config]);
    const ledBefore = state.role === "leader" && seen.role === "leader" && seen.term === term;
    if (ledBefore && log.term(log.committed) !== term) {
      const text = `the leader ${name} of term ${term} committed up to ${log.committed}, of an earlier term`;
      throw new Violation("commits only its own term", text);
    }
    seen.commit = log.committed;
  }

  /** Either configuration will do: the event may have changed it after the commit. */
  private checkDurable(index: Index, term: Term, configs: readonly ConfState[]): void {
    const holds = (id: MemberId): boolean => this.deps.books.get(id)?.holds(index, term) ?? false;
    const enough = (voters: readonly MemberId[]): boolean =>
      voters.length === 0 || voters.filter(holds).length > voters.length / 2;
    if (configs.some(({ voters, votersOutgoing }) => enough(voters) && enough(votersOutgoing))) return;
    const at = [...this.deps.books.keys()].filter(holds).join(", ") || "no member";
    throw new Violation(
      "committed is durable",
      `entry ${index} of term ${term} is committed, and durable on ${at}`,
    );
  }
}
