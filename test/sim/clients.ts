/**
 * Clients: each asks a member for something, waits for the answer or gives up, and asks again. What they saw is
 * held against the history at once where that is possible, and at the end for the order in time.
 * Clients that watch are in watch-clients.ts, those with leases in lease-clients.ts.
 */

import { RequestField } from "../../src/apply/raft-request.js";
import type { ApplyResult } from "../../src/apply/result.js";
import { bytesToLatin1, latin1ToBytes } from "../../src/base/bytes.js";
import { DamageError, isStoreError, StoreError, storeError } from "../../src/base/errors.js";
import { decodeKeyValue } from "../../src/mvcc/key-value.js";
import { type RangeRequest, wholeRange } from "../../src/mvcc/requests.js";
import type { RangeResult } from "../../src/mvcc/results.js";
import { type ClientChecks, checkRead, type OpenWrite } from "./client-checks.js";
import type { Coverage } from "./coverage.js";
import { Dice } from "./dice.js";
import type { History } from "./history.js";
import type { MemberProcess, Running } from "./member-process.js";
import type { SimOptions } from "./options.js";
import { encodeCompaction, encodeDelete, encodePut, encodeTxn, type TxnOp } from "./requests.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

export interface ClientDeps {
  readonly scheduler: Scheduler;
  readonly options: SimOptions;
  readonly coverage: Coverage;
  readonly trace: Trace;
  readonly history: History;
  readonly checks: ClientChecks;
  readonly processes: () => readonly MemberProcess[];
}

type Kind = "put" | "delete" | "deleteRange" | "txn" | "read" | "localRead" | "pastRead" | "compaction";

const mix: readonly (readonly [Kind, number])[] = [
  ["put", 48],
  ["delete", 8],
  ["deleteRange", 2],
  ["txn", 12],
  ["read", 17],
  ["localRead", 7],
  ["pastRead", 4],
  ["compaction", 2],
];
const mixTotal = mix.reduce((sum, [, weight]) => sum + weight, 0);
/** Way of a request or an answer. */
const hopUs = 150;

export class SimulatedClient {
  private readonly dice: Dice;
  private requests = 0;
  private stopped = false;
  /** The revision of each key as last seen, for transactions that compare it. */
  private readonly seen = new Map<string, number>();

  constructor(
    readonly name: string,
    private readonly deps: ClientDeps,
  ) {
    this.dice = Dice.of(deps.options.seed, `client ${name}`);
  }

  start(): void {
    this.deps.scheduler.after(this.dice.exponential(200_000), undefined, () => this.next());
  }

  /** Asks nothing more after what it waits for. */
  stop(): void {
    this.stopped = true;
  }

  private next(): void {
    if (this.stopped) return;
    const processes = this.deps.processes().filter(({ running }) => running !== undefined);
    if (processes.length === 0) this.pause();
    else this.ask(this.dice.pick(processes), this.kind());
  }

  private pause(): void {
    const { scheduler, options } = this.deps;
    // Now and then one request follows right behind another.
    const meanUs = this.dice.chance(0.3) ? hopUs : options.thinkMs * 1_000;
    scheduler.after(this.dice.exponential(meanUs), undefined, () => this.next());
  }

  private kind(): Kind {
    let at = this.dice.below(mixTotal);
    for (const [kind, weight] of mix) {
      if (at < weight)
        return kind === "compaction" && !this.deps.options.faults.has("compaction") ? "put" : kind;
      at -= weight;
    }
    return "put";
  }

  private ask(process: MemberProcess, kind: Kind): void {
    const { scheduler } = this.deps;
    this.requests++;
    const operation = { over: false };
    // The client's own patience: after it the outcome is unknown.
    scheduler.after(this.dice.between(500_000, 6_000_000), undefined, () => this.done(operation));
    const startedAt = this.deps.checks.begin();
    scheduler.after(hopUs, process, () => {
      const { running } = process;
      if (running === undefined) return;
      const answered = (): void => scheduler.after(hopUs, undefined, () => this.done(operation));
      const isStill = (): boolean => !operation.over;
      if (kind === "read" || kind === "localRead" || kind === "pastRead") {
        this.read(kind, process, running, { startedAt, answered, isStill });
      } else this.write(kind, process, running, { startedAt, answered, isStill });
    });
  }

  private done(operation: { over: boolean }): void {
    if (operation.over) return;
    operation.over = true;
    this.pause();
  }

  private write(kind: Kind, process: MemberProcess, running: Running, asked: Asked): void {
    const { checks, coverage, trace } = this.deps;
    const request = this.encode(kind, running);
    if (running.core.raft.state.leader === 0n) coverage.hit("write/waited for a leader");
    else if (running.core.raft.state.role !== "leader") coverage.hit("write/forwarded");
    let open: OpenWrite | undefined;
    const proposed = (id: bigint): void => {
      open = checks.proposed(id, asked.startedAt, request.text);
    };
    const result = attempt(() =>
      withProposal(running, proposed, () =>
        running.member.propose(request.field, request.body, { timeoutMs: undefined }),
      ),
    );
    if (trace.talkative) trace.whisper(`${this.name} asks ${process.name}: ${request.text}`);
    result.then(
      (answer) => {
        if (!process.alive) return;
        // An answer that the client no longer waits for is none.
        if (asked.isStill() && open !== undefined) checks.answered(open, answer);
        if (trace.talkative) trace.whisper(`${this.name} is answered by ${process.name}: ${request.text}`);
        asked.answered();
      },
      (error: unknown) => {
        if (asked.isStill() && open !== undefined) checks.answered(open, expected(error));
        asked.answered();
      },
    );
  }

  private read(kind: Kind, process: MemberProcess, running: Running, asked: Asked): void {
    const { checks, coverage, history, trace } = this.deps;
    const request = this.rangeRequest(kind, running);
    if (kind === "read" && running.core.raft.state.leader === 0n) coverage.hit("read/waited for a leader");
    const ready =
      kind === "read" ? attempt(() => running.member.linearize({ timeoutMs: undefined })) : Promise.resolve();
    ready
      .then(() => {
        if (!process.alive) return;
        const outcome = rangeOutcome(process, running, request);
        checkRead(process.name, request, outcome, { history, coverage });
        if (!(outcome instanceof StoreError)) {
          if (kind === "read" && asked.isStill())
            checks.read(outcome.revision, asked.startedAt, process.name);
          this.remember(outcome);
        }
        if (trace.talkative)
          trace.whisper(`${this.name} reads at ${process.name} ${bytesToLatin1(request.key)}`);
        asked.answered();
      })
      .catch((error: unknown) => {
        expected(error);
        asked.answered();
      });
  }

  private rangeRequest(kind: Kind, running: Running): RangeRequest {
    const { mvcc } = running.core.state.deps;
    const isAll = this.dice.chance(0.3);
    const past = kind === "pastRead" ? 1 + this.dice.below(mvcc.revision) : 0;
    return {
      ...wholeRange,
      key: latin1ToBytes(isAll ? "k" : this.key()),
      rangeEnd: latin1ToBytes(isAll ? "l" : ""),
      revision: past,
      serializable: kind !== "read",
    };
  }

  private encode(kind: Kind, running: Running): { field: number; body: Uint8Array; text: string } {
    const key = this.key();
    switch (kind) {
      case "delete":
        return { field: RequestField.DeleteRange, body: encodeDelete(key, ""), text: `delete ${key}` };
      case "deleteRange":
        return { field: RequestField.DeleteRange, body: encodeDelete(key, "l"), text: `delete ${key} to l` };
      case "compaction": {
        const { revision } = running.core.state.deps.mvcc;
        const at = this.dice.chance(0.5) ? revision : 1 + this.dice.below(revision);
        return { field: RequestField.Compaction, body: encodeCompaction(at), text: `compact ${at}` };
      }
      case "txn":
        return { field: RequestField.Txn, body: this.txn(key), text: `txn on ${key}` };
      default: {
        const value = this.value();
        const body = encodePut(key, value, { prevKv: this.dice.chance(0.2), lease: 0n });
        return { field: RequestField.Put, body, text: `put ${key} ${bytesToLatin1(value.subarray(0, 16))}` };
      }
    }
  }

  private txn(key: string): Uint8Array {
    const put = (to: string): TxnOp => ({ kind: "put", key: to, value: this.value() });
    const other = this.key();
    const compare = { key, modRevision: this.seen.get(key) ?? 0 };
    const success: TxnOp[] = [put(key)];
    if (other !== key) success.push(this.dice.chance(0.5) ? put(other) : { kind: "delete", key: other });
    return encodeTxn({ compare, success, failure: [{ kind: "range", key }] });
  }

  private key(): string {
    return `k${this.dice.below(this.deps.options.keys)}`;
  }

  /** Unlike any other; sometimes larger than a few sectors. */
  private value(): Uint8Array {
    const text = `${this.name}-${this.requests}-${this.dice.below(1_000_000)}`;
    const size = this.dice.chance(0.1) ? this.dice.below(2_500) : this.dice.below(100);
    return latin1ToBytes(text.padEnd(size, "."));
  }

  private remember({ kvs }: RangeResult): void {
    for (const pair of kvs) {
      const { key, modRevision } = decodeKeyValue(pair);
      this.seen.set(bytesToLatin1(key), modRevision);
    }
  }
}

interface Asked {
  readonly startedAt: number;
  readonly answered: () => void;
  readonly isStill: () => boolean;
}

/** Tells of the id under which `call` proposes something at once. */
export function withProposal<Value>(
  { driver }: Running,
  proposed: (id: bigint) => void,
  call: () => Value,
): Value {
  const { push } = driver;
  driver.push = (event) => {
    if (event.type === "propose") proposed(event.id);
    push.call(driver, event);
  };
  try {
    return call();
  } finally {
    driver.push = push;
  }
}

/** Refusals come as exceptions or as rejections. */
function attempt<Value>(call: () => PromiseLike<Value>): Promise<Value> {
  try {
    return Promise.resolve(call());
  } catch (error) {
    return Promise.reject(error);
  }
}

function rangeOutcome(
  { machine }: MemberProcess,
  running: Running,
  request: RangeRequest,
): RangeResult | StoreError {
  try {
    return running.member.range(request);
  } catch (error) {
    // Damage is told, not served.
    if (error instanceof DamageError && machine.disk.damaged !== undefined) return storeError("Corrupt");
    return expected(error);
  }
}

/** An expected failure; anything else is a bug and goes on upwards. */
function expected(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  throw error;
}

/** Outcomes that leave open whether a request was applied. */
export function isUnknown(outcome: ApplyResult | StoreError): boolean {
  return (
    outcome instanceof StoreError &&
    (["Timeout", "TimeoutDueToLeaderFail", "TimeoutDueToConnectionLost", "Stopped"] as const).some((code) =>
      isStoreError(outcome, code),
    )
  );
}
