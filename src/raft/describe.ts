/** The state between events as text, in the words of etcd's Raft, so that its scripts can be compared. */
import type { MemberId } from "../base/brand.js";
import { bytesToLatin1 } from "../base/bytes.js";
import { ProtoError } from "../base/protowire.js";
import { entryConfChange } from "./codec.js";
import type { ConfChangeSingle } from "./conf-change.js";
import { ConfChangeType, toConfChangeV2 } from "./conf-change.js";
import type { Message, Proposal } from "./message.js";
import { LocalAppendThread, LocalApplyThread, noMember } from "./message.js";
import type { Ready } from "./ready.js";
import type { ReadState, Role, SoftState } from "./state.js";
import type { Progress, ProgressState } from "./tracker/progress.js";
import type { ProgressMap } from "./tracker/tracker.js";
import type { ConfState, Entry, HardState, Snapshot } from "./types.js";
import { EntryType } from "./types.js";

const roleNames: Readonly<Record<Role, string>> = {
  follower: "StateFollower",
  candidate: "StateCandidate",
  leader: "StateLeader",
  preCandidate: "StatePreCandidate",
};
const progressNames: Readonly<Record<ProgressState, string>> = {
  probe: "StateProbe",
  replicate: "StateReplicate",
  snapshot: "StateSnapshot",
};
const entryTypeNames: Readonly<Record<EntryType, string>> = {
  [EntryType.Normal]: "EntryNormal",
  [EntryType.ConfChange]: "EntryConfChange",
  [EntryType.ConfChangeV2]: "EntryConfChangeV2",
};
const changeLetters: Readonly<Record<ConfChangeType, string>> = {
  [ConfChangeType.AddNode]: "v",
  [ConfChangeType.AddLearnerNode]: "l",
  [ConfChangeType.RemoveNode]: "r",
  [ConfChangeType.UpdateNode]: "u",
};
const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

/** Bytes in quotes: ASCII that can be printed as it is, the rest escaped. */
export function describeBytes(bytes: Uint8Array): string {
  let text = "";
  for (const character of bytesToLatin1(bytes)) {
    const code = character.charCodeAt(0);
    const printable = code >= 0x20 && code < 0x7f;
    text += escapes[character] ?? (printable ? character : `\\x${code.toString(16).padStart(2, "0")}`);
  }
  return `"${text}"`;
}

export function describeRole(role: Role): string {
  return roleNames[role];
}

export function describeSoftState({ leader, role }: SoftState): string {
  return `Lead:${leader} State:${roleNames[role]}`;
}

export function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === noMember ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

export function describeConfState(state: ConfState): string {
  const list = (ids: readonly MemberId[]): string => `[${ids.join(" ")}]`;
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = state;
  return (
    `Voters:${list(voters)} VotersOutgoing:${list(votersOutgoing)} ` +
    `Learners:${list(learners)} LearnersNext:${list(learnersNext)} AutoLeave:${autoLeave}`
  );
}

export function describeSnapshot({ metadata }: Snapshot): string {
  const { index, term, confState } = metadata;
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}

/** The changes as letters and ids: v voter, l learner, r remove, u update. */
export function describeConfChanges(changes: readonly ConfChangeSingle[]): string {
  return changes.map(({ type, nodeId }) => `${changeLetters[type]}${nodeId}`).join(" ");
}

export function describeEntry(entry: Entry): string {
  const content = describeContent(entry);
  return `${entry.term}/${entry.index} ${entryTypeNames[entry.type]}${content === "" ? "" : ` ${content}`}`;
}

function describeContent(entry: Entry): string {
  try {
    const change = entryConfChange(entry);
    return change === undefined
      ? describeBytes(entry.data)
      : describeConfChanges(toConfChangeV2(change).changes);
  } catch (error) {
    if (error instanceof ProtoError) return error.message;
    throw error;
  }
}

/** One line each. */
export function describeEntries(entries: readonly Entry[]): string {
  return entries.map((entry) => `${describeEntry(entry)}\n`).join("");
}

function describeTarget(id: MemberId): string {
  if (id === noMember) return "None";
  if (id === LocalAppendThread) return "AppendThread";
  if (id === LocalApplyThread) return "ApplyThread";
  return id.toString(16);
}

/** Every field that some message has, 0 or empty where this one has not. */
interface MessageFields {
  readonly type: Message["type"];
  readonly logTerm?: number;
  readonly index?: number;
  readonly reject?: boolean;
  readonly rejectHint?: number;
  readonly commit?: number;
  readonly vote?: MemberId;
  readonly entries?: readonly (Proposal | Entry)[];
  readonly snapshot?: Snapshot | undefined;
  readonly responses?: readonly Message[];
}

function fieldsOf(message: Message): MessageFields {
  switch (message.type) {
    case "MsgReadIndex":
    case "MsgReadIndexResp":
      return { ...message, entries: [{ type: EntryType.Normal, data: message.context }] };
    case "MsgStorageAppend":
      return {
        ...message,
        commit: message.hardState?.commit ?? 0,
        vote: message.hardState?.vote ?? noMember,
      };
    default:
      return message;
  }
}

/** A line; more where there are several entries, a snapshot or responses. */
export function describeMessage(message: Message, indent = ""): string {
  const fields = fieldsOf(message);
  const { logTerm = 0, index = 0, commit = 0, vote = noMember, entries = [], responses = [] } = fields;
  const { from, to, type, term } = message;
  let text = `${indent}${describeTarget(from)}->${describeTarget(to)} ${type} Term:${term} Log:${logTerm}/${index}`;
  if (fields.reject === true) text += ` Rejected (Hint: ${fields.rejectHint ?? 0})`;
  if (commit !== 0) text += ` Commit:${commit}`;
  if (vote !== noMember) text += ` Vote:${vote}`;
  const lines = entries.map((entry) => describeEntry({ term: 0, index: 0, ...entry }));
  if (lines.length === 1) text += ` Entries:[${lines[0]}]`;
  else if (lines.length > 1)
    text += ` Entries:[${lines.map((line) => `\n${indent}  ${line}`).join("")}\n${indent}]`;
  if (fields.snapshot !== undefined && fields.snapshot.metadata.index !== 0) {
    text += `\n${indent}  Snapshot: ${describeSnapshot(fields.snapshot)}`;
  }
  if (responses.length > 0) {
    const nested = responses.map((response) => `\n${describeMessage(response, `${indent}  `)}`);
    text += ` Responses:[${nested.join("")}\n${indent}]`;
  }
  return text;
}

function describeReadStates(states: readonly ReadState[]): string {
  return `[${states.map(({ index, context }) => `{${index} [${context.join(" ")}]}`).join(" ")}]`;
}

/** Several lines; "<empty Ready>" when there is nothing to do. */
export function describeReady(ready: Ready): string {
  const { softState, hardState, readStates, entries, snapshot, committedEntries, messages } = ready;
  let text = "";
  if (softState !== undefined) text += `${describeSoftState(softState)}\n`;
  if (hardState !== undefined) text += `HardState ${describeHardState(hardState)}\n`;
  if (readStates.length > 0) text += `ReadStates ${describeReadStates(readStates)}\n`;
  if (entries.length > 0) text += `Entries:\n${describeEntries(entries)}`;
  if (snapshot !== undefined) text += `Snapshot ${describeSnapshot(snapshot)}\n`;
  if (committedEntries.length > 0) text += `CommittedEntries:\n${describeEntries(committedEntries)}`;
  if (messages.length > 0)
    text += `Messages:\n${messages.map((message) => `${describeMessage(message)}\n`).join("")}`;
  return text === "" ? "<empty Ready>" : `Ready MustSync=${ready.mustSync}:\n${text}`;
}

export function describeProgress(progress: Progress): string {
  const { match, next, pendingSnapshot, inflightCount } = progress;
  let text = `${progressNames[progress.state]} match=${match} next=${next}`;
  if (progress.isLearner) text += " learner";
  if (progress.paused) text += " paused";
  if (pendingSnapshot > 0) text += ` pendingSnap=${pendingSnapshot}`;
  if (!progress.recentActive) text += " inactive";
  if (inflightCount > 0) text += ` inflight=${inflightCount}${progress.inflightFull ? "[full]" : ""}`;
  return text;
}

/** A line for each member. */
export function describeProgressMap(progress: ProgressMap): string {
  return [...progress].map(([id, member]) => `${id}: ${describeProgress(member)}\n`).join("");
}

/** Ids in hexadecimal, in parentheses. */
export function describeIds(ids: readonly MemberId[]): string {
  return `(${ids.map((id) => id.toString(16)).join(" ")})`;
}

/** The configuration in short: voters, of both halves when joint, learners, staged learners. */
export function describeConfig(config: ConfState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = config;
  let text = `voters=${describeIds(voters)}`;
  if (votersOutgoing.length > 0) text += `&&${describeIds(votersOutgoing)}`;
  if (learners.length > 0) text += ` learners=${describeIds(learners)}`;
  if (learnersNext.length > 0) text += ` learners_next=${describeIds(learnersNext)}`;
  return autoLeave ? `${text} autoleave` : text;
}
