/**
 * The messages that leave for the other members, less those that the next one makes superfluous. Raft takes any
 * message to be lost, so to leave one out is safe; this says where it is also without cost.
 *
 * - News of a commit alone (an append message without entries) waits a moment for the next entries to take it along:
 *   the follower's clients that read or watch there see the commit so much later, and a put after the other costs
 *   half the messages. It does not wait where the follower passed on a proposal of its own clients, who wait for it,
 *   nor where the follower asked for a read.
 * - Append messages to one member that follow on each other in one turn leave as one: each that arrives costs a step of
 *   its log and an acknowledgement. (A leader makes one for each batch of proposals that a follower passed on.)
 * - Of several heartbeats to one member in one turn the last confirms all reads that the others would.
 * - Of several acknowledgements in a row the last says all.
 *
 * Example: entry 7 is committed, nobody else proposes: news of 7 leave after `holdMs`. Were entry 8 proposed before
 * that, its message says that 7 is committed, and the news are forgotten.
 */
import type { Index, MemberId } from "../base/brand.js";
import { limits } from "../base/limits.js";
import type { Clock } from "../ports/clock.js";
import { entriesSizeBytes } from "../raft/entry-page.js";
import type { AppendMessage, Message } from "../raft/message.js";

/** Below what a watcher on a follower would notice, above the time from one put of a client to its next. */
const holdMs = 1;

export interface OutgoingDeps {
  readonly send: (messages: readonly Message[]) => void;
  readonly clock: Pick<Clock, "after">;
}

export class Outgoing {
  /** The newest news of a commit for each member that can do without them for a moment. */
  private readonly held = new Map<MemberId, AppendMessage>();
  /** Up to which index a member waits for commits: its clients' proposals end there. */
  private readonly awaited = new Map<MemberId, Index>();
  private cancelHold: (() => void) | undefined;

  constructor(private readonly deps: OutgoingDeps) {}

  /** `from` passed on proposals, which are in the log up to `index`. */
  awaitsCommit(from: MemberId, index: Index): void {
    this.awaited.set(from, index);
  }

  send(messages: readonly Message[]): void {
    const kept: Message[] = [];
    for (const message of messages) this.add(message, kept);
    if (kept.length > 0) this.deps.send(kept);
    if (this.held.size > 0) this.cancelHold ??= this.deps.clock.after(holdMs, () => this.release());
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.cancelHold?.();
    this.held.clear();
  }

  private add(message: Message, kept: Message[]): void {
    switch (message.type) {
      case "MsgApp":
        // Whatever it carries, it says at least what the news did.
        this.held.delete(message.to);
        if (message.entries.length === 0 && !this.isAwaited(message)) this.held.set(message.to, message);
        else addAppend(message, kept);
        return;
      case "MsgReadIndexResp":
        this.takeAlong(message.to, kept);
        kept.push(message);
        return;
      case "MsgHeartbeat":
        dropEarlier(kept, (earlier) => confirmsLess(earlier, message));
        kept.push(message);
        return;
      case "MsgAppResp":
        if (acknowledgesLess(kept.at(-1), message)) kept.pop();
        kept.push(message);
        return;
      default:
        kept.push(message);
    }
  }

  private isAwaited({ to, commit }: AppendMessage): boolean {
    const index = this.awaited.get(to);
    if (index === undefined) return false;
    if (commit >= index) this.awaited.delete(to);
    return true;
  }

  private takeAlong(to: MemberId, kept: Message[]): void {
    const news = this.held.get(to);
    if (news === undefined) return;
    this.held.delete(to);
    kept.push(news);
  }

  private release(): void {
    this.cancelHold = undefined;
    if (this.held.size === 0) return;
    const news = [...this.held.values()];
    this.held.clear();
    this.deps.send(news);
  }
}

function addAppend(message: AppendMessage, kept: Message[]): void {
  const at = kept.findLastIndex((earlier) => earlier.to === message.to);
  const earlier = kept[at];
  if (earlier?.type === "MsgApp" && followsOn(earlier, message)) {
    kept[at] = { ...earlier, entries: earlier.entries.concat(message.entries), commit: message.commit };
  } else kept.push(message);
}

function followsOn(earlier: AppendMessage, later: AppendMessage): boolean {
  return (
    earlier.term === later.term &&
    earlier.index + earlier.entries.length === later.index &&
    entriesSizeBytes(earlier.entries) + entriesSizeBytes(later.entries) <= limits.appendMessageBytesMax
  );
}

function dropEarlier(kept: Message[], isLess: (earlier: Message) => boolean): void {
  const at = kept.findIndex(isLess);
  if (at >= 0) kept.splice(at, 1);
}

/** Contexts count reads within a term (raft/read-queue.ts): a later one confirms what an earlier one does. */
function confirmsLess(earlier: Message, later: Message & { readonly type: "MsgHeartbeat" }): boolean {
  if (earlier.type !== "MsgHeartbeat" || earlier.to !== later.to || earlier.term !== later.term) return false;
  return later.context.length > 0 || earlier.context.length === 0;
}

function acknowledgesLess(
  earlier: Message | undefined,
  later: Message & { readonly type: "MsgAppResp" },
): boolean {
  if (earlier?.type !== "MsgAppResp" || earlier.reject || later.reject) return false;
  return earlier.to === later.to && earlier.term === later.term && earlier.index <= later.index;
}
