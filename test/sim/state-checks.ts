/**
 * State machine safety, as the state machines themselves show it: each entry that a member applies must give what
 * it gave the first member, and what a start finds in a store must be what the history says.
 */
import type { Applier } from "../../src/apply/applier.js";
import { decodeRaftRequest } from "../../src/apply/raft-request.js";
import type { ApplyResult } from "../../src/apply/result.js";
import { crc32c } from "../../src/base/crc32c.js";
import { StoreError } from "../../src/base/errors.js";
import { MemberCore } from "../../src/member/core/core.js";
import { finishedCompactionKey, type ReplicatedState } from "../../src/member/core/replicated-state.js";
import type { ChangeSink } from "../../src/mvcc/changes.js";
import type { RevisionRecord } from "../../src/mvcc/contract.js";
import type { ResponseOp, TxnResult } from "../../src/mvcc/results.js";
import type { RevisionStore } from "../../src/ports/revision-store.js";
import type { Coverage } from "./coverage.js";
import type { History } from "./history.js";
import type { LeaseChecks } from "./lease-checks.js";
import type { MemberProcess } from "./member-process.js";
import { Violation } from "./violation.js";

export class StateChecks {
  constructor(
    private readonly deps: {
      readonly history: History;
      readonly coverage: Coverage;
      readonly leases: LeaseChecks;
    },
  ) {}

  /** Sees every change of a member, before its watchers do. */
  changesOf(process: MemberProcess, watchers: ChangeSink): ChangeSink {
    return {
      committed: (revision, changes) => {
        this.deps.history.write(process.name, nextIndex(process), revision, changes);
        watchers.committed(revision, changes);
      },
    };
  }

  /** Called when the state over a store was built, at a start or after a snapshot was installed. */
  async restored(process: MemberProcess, store: RevisionStore, state: ReplicatedState): Promise<void> {
    const { history } = this.deps;
    const { mvcc } = state.deps;
    const at = { revision: mvcc.revision, compacted: mvcc.compactedRevision };
    const { index } = store.durableApplied;
    const known = history.appliedAt(index);
    if (known !== undefined && (known.revision !== at.revision || known.compacted !== at.compacted)) {
      const text = `the store of ${process.name} at index ${index} is at revision ${at.revision}, compacted ${at.compacted}`;
      throw new Violation("restored state", `${text}; others had ${known.revision}, ${known.compacted}`);
    }
    history.checkConfiguration(process.name, index, state.confState);
    const records: RevisionRecord[] = [];
    for await (const slice of store.scan({ fromMain: 0, toMain: Number.MAX_SAFE_INTEGER }))
      records.push(...slice);
    history.checkStored(process.name, records, at);
    this.deps.leases.checkLessor(process.name, state.deps.leases, { index, revision: mvcc.revision });
    this.deps.leases.countChanges(state.deps.leases);
    this.countCompactions(store);
    this.watch(process, state);
  }

  /**
   * The promise of ReadIndex: the index that a question gets, or at which one is answered at once, is not below what
   * was committed anywhere when it was asked. Every stale read begins with one that is.
   */
  core(core: MemberCore): void {
    const { history, coverage } = this.deps;
    const { reads } = core as unknown as { readonly reads: ReadTableInside };
    let committed = 0;
    const begin = reads.begin.bind(reads);
    reads.begin = () => {
      committed = history.lastIndex;
      return begin();
    };
    const confirm = reads.confirm.bind(reads);
    reads.confirm = (context, index) => {
      const { asking } = reads;
      confirm(context, index);
      if (asking === undefined || reads.asking === asking || index >= committed) return;
      throw new Violation("read index", `a read asked when ${committed} was committed got index ${index}`);
    };
    const claim = Object.getOwnPropertyDescriptor(MemberCore.prototype, "decidesAlone")!.get!;
    Object.defineProperty(core, "decidesAlone", {
      get: () => {
        const alone: boolean = claim.call(core);
        if (!alone) return false;
        coverage.hit("read/at once");
        if (core.applied < history.lastIndex)
          throw new Violation(
            "read index",
            `a read at ${core.applied} when ${history.lastIndex} was committed`,
          );
        return true;
      },
      configurable: true,
    });
    const forgetQuestion = reads.forgetQuestion.bind(reads);
    reads.forgetQuestion = () => {
      if (reads.asking !== undefined) coverage.hit("read/asked again");
      forgetQuestion();
    };
  }

  private countCompactions(store: RevisionStore): void {
    const setState = store.setState.bind(store);
    store.setState = (key, value) => {
      if (key === finishedCompactionKey) this.deps.coverage.hit("compaction/finished");
      setState(key, value);
    };
  }

  private watch(process: MemberProcess, state: ReplicatedState): void {
    const { history, coverage, leases } = this.deps;
    const { mvcc } = state.deps;
    const setConfState = state.setConfState.bind(state);
    state.setConfState = (confState, index) => {
      const wasJoint = state.confState.votersOutgoing.length > 0;
      const isJoint = confState.votersOutgoing.length > 0;
      if (wasJoint !== isJoint) coverage.hit(isJoint ? "joint/entered" : "joint/left");
      history.configure(process.name, index, confState);
      setConfState(confState, index);
    };
    const applier = state.applier as { apply: Applier["apply"] };
    const original = state.applier.apply.bind(state.applier);
    applier.apply = (data) => {
      const index = nextIndex(process);
      const applied = original(data);
      const request = data.length === 0 ? undefined : decodeRaftRequest(data);
      const isFirst = history.appliedAt(index) === undefined;
      if (isFirst && request !== undefined && applied !== undefined)
        leases.applied(index, request, applied.outcome);
      history.apply(process.name, index, {
        requestId: request?.id ?? 0n,
        outcome: applied === undefined ? "nothing" : outcomeText(applied.outcome),
        revision: mvcc.revision,
        compacted: mvcc.compactedRevision,
      });
      return applied;
    };
  }
}

/** What this looks at inside the table of reads. */
interface ReadTableInside {
  readonly asking: unknown;
  begin(): Uint8Array;
  confirm(context: Uint8Array, index: number): void;
  forgetQuestion(): void;
}

/** The index of the entry that is just being applied. */
function nextIndex(process: MemberProcess): number {
  const core = process.running?.core;
  if (core === undefined) throw new Violation("apply", `${process.name} applies before it runs`);
  return core.applied + 1;
}

export function outcomeText(outcome: ApplyResult | StoreError): string {
  if (outcome instanceof StoreError) return `error ${outcome.detail.code}`;
  switch (outcome.kind) {
    case "put":
      return `put ${outcome.put.revision} ${digest(outcome.put.prevKv)}`;
    case "deleteRange":
      return `delete ${outcome.deleteRange.deleted} ${outcome.deleteRange.revision}`;
    case "txn":
      return txnText(outcome.txn);
    case "compaction":
      return `compaction ${outcome.revision}`;
    case "alarm":
      return `alarm ${outcome.alarms.length}`;
    case "done":
      return "done";
    default:
      return JSON.stringify(outcome, (_, value: unknown) =>
        typeof value === "bigint" ? value.toString() : value,
      );
  }
}

function txnText({ succeeded, responses, revision }: TxnResult): string {
  return `txn ${succeeded} ${revision} ${responses.map(opText).join()}`;
}

function opText(op: ResponseOp): string {
  switch (op.kind) {
    case "range":
      return `range ${op.result.count} ${op.result.kvs.map(digest).join("+")}`;
    case "put":
      return `put ${op.result.revision}`;
    case "deleteRange":
      return `delete ${op.result.deleted}`;
    case "txn":
      return txnText(op.result);
    case "none":
      return "none";
  }
}

function digest(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "-" : crc32c(bytes).toString(16);
}
