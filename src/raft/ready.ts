/** What the owner of a member has to do next, gathered from its state. */
import type { Index } from "../base/brand.js";
import { entriesSizeBytes } from "./entry-page.js";
import type {
  Message,
  StorageAppendMessage,
  StorageAppendResponse,
  StorageApplyMessage,
  StorageApplyResponse,
} from "./message.js";
import { LocalAppendThread, LocalApplyThread } from "./message.js";
import type { RaftState, ReadState, SoftState } from "./state.js";
import type { Entry, HardState, Snapshot } from "./types.js";

/**
 * Without asynchronous storage writes: make `snapshot`, `entries` and `hardState` durable (synced if `mustSync`),
 * THEN send `messages`, apply `committedEntries` and call `advance`. With them the storage work is among the
 * messages, and the other fields only say what it is.
 */
export interface Ready {
  /** Present when leader or role changed. Nothing of it needs to be stored. */
  readonly softState: SoftState | undefined;
  /** Present when it changed. */
  readonly hardState: HardState | undefined;
  readonly readStates: readonly ReadState[];
  /** To be appended to the durable log, where they replace what stands at their indexes. */
  readonly entries: readonly Entry[];
  /** To be installed before anything else is applied. */
  readonly snapshot: Snapshot | undefined;
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** False when a crash may lose this step: only a commit index moved. */
  readonly mustSync: boolean;
}

/** What was handed out last, so that only changes are. */
export interface HandedOut {
  readonly softState: SoftState;
  readonly hardState: HardState;
}

export function sameSoftState(a: SoftState, b: SoftState): boolean {
  return a.leader === b.leader && a.role === b.role;
}

export function sameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}

/** True when `buildReady` would give something to do. */
export function hasReady(state: RaftState, last: HandedOut): boolean {
  const { log, outbox } = state;
  return (
    outbox.messages.length > 0 ||
    outbox.afterAppend.length > 0 ||
    outbox.readStates.length > 0 ||
    log.unstable.hasNextEntries ||
    log.hasNextCommitted(allowsUnstable(state)) ||
    !sameHardState(state.hardState, last.hardState) ||
    !sameSoftState(state.softState, last.softState) ||
    log.unstable.nextSnapshot() !== undefined
  );
}

/** Without asynchronous writes a Ready is made durable before what it commits is applied. */
function allowsUnstable(state: RaftState): boolean {
  return !state.config.asyncStorageWrites;
}

export interface BuiltReady {
  readonly ready: Ready;
  /** Only without asynchronous writes: to be stepped when the Ready was worked off. */
  readonly stepsOnAdvance: readonly Message[];
}

/** Gathers the next Ready and marks all of it as handed out. */
export function buildReady(state: RaftState, last: HandedOut): BuiltReady {
  const { log, outbox, config } = state;
  const { softState, hardState } = state;
  const work: StorageWork = {
    hardState: sameHardState(hardState, last.hardState) ? undefined : hardState,
    entries: log.unstable.nextEntries(),
    snapshot: log.unstable.nextSnapshot(),
    committedEntries: log.nextCommitted(allowsUnstable(state)),
  };
  const { messages, steps } = config.asyncStorageWrites
    ? { messages: asyncMessages(state, work), steps: [] }
    : syncMessages(state, work);
  // Field by field: a spread costs more here than all the rest.
  const ready: Ready = {
    softState: sameSoftState(softState, last.softState) ? undefined : softState,
    hardState: work.hardState,
    readStates: outbox.readStates,
    entries: work.entries,
    snapshot: work.snapshot,
    committedEntries: work.committedEntries,
    messages,
    mustSync:
      work.entries.length > 0 ||
      hardState.vote !== last.hardState.vote ||
      hardState.term !== last.hardState.term,
  };
  accept(state, work.committedEntries);
  return { ready, stepsOnAdvance: steps };
}

interface StorageWork {
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | undefined;
  readonly committedEntries: readonly Entry[];
}

function accept(state: RaftState, committedEntries: readonly Entry[]): void {
  const { log, outbox } = state;
  outbox.messages = [];
  outbox.afterAppend = [];
  outbox.readStates = [];
  log.unstable.acceptInProgress();
  const lastCommitted = committedEntries.at(-1);
  if (lastCommitted === undefined) return;
  log.acceptApplying(lastCommitted.index, entriesSizeBytes(committedEntries), allowsUnstable(state));
}

function syncMessages(
  state: RaftState,
  work: StorageWork,
): { readonly messages: Message[]; readonly steps: Message[] } {
  const { messages, afterAppend } = state.outbox;
  const steps = afterAppend.filter((message) => message.to === state.id);
  const response = storageAppendResponse(state, work);
  if (response !== undefined) steps.push(response);
  if (work.committedEntries.length > 0) steps.push(storageApplyResponse(state, work.committedEntries));
  return { messages: messages.concat(afterAppend.filter((message) => message.to !== state.id)), steps };
}

function asyncMessages(state: RaftState, work: StorageWork): Message[] {
  const { messages, afterAppend } = state.outbox;
  const { hardState, entries, snapshot, committedEntries } = work;
  const all = [...messages];
  if (entries.length > 0 || hardState !== undefined || snapshot !== undefined || afterAppend.length > 0) {
    const response = storageAppendResponse(state, work);
    // The leader's acknowledgement to itself goes before the entries leave the unstable log.
    const responses = response === undefined ? afterAppend : [...afterAppend, response];
    const append: StorageAppendMessage = {
      type: "MsgStorageAppend",
      to: LocalAppendThread,
      from: state.id,
      term: hardState?.term ?? 0,
      hardState,
      entries,
      snapshot,
      responses,
    };
    all.push(append);
  }
  if (committedEntries.length > 0) {
    const apply: StorageApplyMessage = {
      type: "MsgStorageApply",
      to: LocalApplyThread,
      from: state.id,
      term: 0,
      entries: committedEntries,
      responses: [storageApplyResponse(state, committedEntries)],
    };
    all.push(apply);
  }
  return all;
}

/**
 * Says that everything handed out so far is durable. It names the last entry of the log and the term of now: were
 * it to come back in a later term, some of the entries might have been replaced by others that are still being
 * written, which read back would give the replaced ones; so it is then ignored. To make up for those that are, it
 * names the last entry whenever any is unstable, not only when this step writes some.
 */
function storageAppendResponse(state: RaftState, work: StorageWork): StorageAppendResponse | undefined {
  const unstable = state.log.unstable.count > 0;
  if (!unstable && work.snapshot === undefined) return undefined;
  let index: Index = 0;
  let logTerm = 0;
  if (unstable) ({ index, term: logTerm } = state.log.last());
  return {
    type: "MsgStorageAppendResp",
    to: state.id,
    from: LocalAppendThread,
    term: state.term,
    index,
    logTerm,
    snapshot: work.snapshot,
  };
}

function storageApplyResponse(state: RaftState, entries: readonly Entry[]): StorageApplyResponse {
  return { type: "MsgStorageApplyResp", to: state.id, from: LocalApplyThread, term: 0, entries };
}
