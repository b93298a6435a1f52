/**
 * What clients saw against the history: strict serializability by revision order. The store numbers its writes, so
 * an order that explains all answers is known, and only needs to be held against time: a request that began when
 * another was answered already comes after it. That takes one pass, where a search would take forever.
 *
 * - Each answered write stands in the log, once, and its answer is what applying it gave.
 * - A write's index is above that of all requests answered before it began; a linearizable read sees at least the
 *   revision of all of them.
 * - Each read shows just what the history has at its revision.
 */
import type { ApplyResult } from "../../src/apply/result.js";
import type { Index, Revision } from "../../src/base/brand.js";
import { bytesToLatin1, equalBytes } from "../../src/base/bytes.js";
import { isStoreError, StoreError } from "../../src/base/errors.js";
import type { RangeRequest } from "../../src/mvcc/requests.js";
import type { RangeResult } from "../../src/mvcc/results.js";
import { isUnknown } from "./clients.js";
import type { Coverage } from "./coverage.js";
import type { History } from "./history.js";
import { outcomeText } from "./state-checks.js";
import { Violation } from "./violation.js";

/** How far the history had got, as seen in answers, when a request began. */
export type Floor = { readonly index: Index; readonly revision: Revision };

export interface OpenWrite {
  readonly id: bigint;
  readonly floor: Floor;
  readonly text: string;
  answer: ApplyResult | StoreError | undefined;
}

export class ClientChecks {
  private readonly floors: Floor[] = [{ index: 0, revision: 1 }];
  private readonly writes: OpenWrite[] = [];
  answeredCount = 0;
  readCount = 0;

  constructor(private readonly deps: { readonly history: History; readonly coverage: Coverage }) {}

  /** A request begins: what was answered before is before it. Names the moment. */
  begin(): number {
    return this.floors.length - 1;
  }

  proposed(id: bigint, startedAt: number, text: string): OpenWrite {
    const write: OpenWrite = { id, floor: this.floors[startedAt]!, text, answer: undefined };
    this.writes.push(write);
    return write;
  }

  /** Errors: Violation where nobody applied the request, or it gave something else. */
  answered(write: OpenWrite, answer: ApplyResult | StoreError): void {
    write.answer = answer;
    const { history } = this.deps;
    if (isUnknown(answer) || isStoreError(answer, "RequestTooManyRequests")) return;
    this.answeredCount++;
    const index = history.indexOf(write.id);
    const applied = index === undefined ? undefined : history.appliedAt(index);
    if (index === undefined || applied === undefined) {
      throw new Violation("acknowledged writes", `${write.text} was answered and never applied`);
    }
    const said = outcomeText(answer);
    if (said !== applied.outcome) {
      throw new Violation("answers", `${write.text} was answered "${said}", applied as "${applied.outcome}"`);
    }
    this.raise(index, applied.revision);
  }

  /** A linearizable read was answered. Errors: Violation where it shows an older state than it must. */
  read(revision: Revision, startedAt: number, member: string): void {
    this.readCount++;
    const floor = this.floors[startedAt]!;
    if (revision < floor.revision) {
      const text = `a linearizable read at ${member} shows revision ${revision}; ${floor.revision} was seen before it began`;
      throw new Violation("linearizability", text);
    }
    this.raise(0, revision);
  }

  /** At the end, when all that was committed is applied. Errors: Violation. */
  finish(): void {
    const { history, coverage } = this.deps;
    for (const { id, floor, answer, text } of this.writes) {
      const index = history.indexOf(id);
      const isOpen = answer === undefined || isUnknown(answer);
      if (isOpen) {
        coverage.hit(
          index === undefined
            ? "write/unknown outcome that did not happen"
            : "write/unknown outcome that happened",
        );
      }
      if (index === undefined) continue;
      const { revision, outcome } = history.appliedAt(index)!;
      if (index <= floor.index || (writes(outcome) && revision <= floor.revision)) {
        const seen = `index ${floor.index} and revision ${floor.revision} had been seen before it began`;
        throw new Violation(
          "linearizability",
          `${text} took effect at index ${index}, revision ${revision}; ${seen}`,
        );
      }
    }
  }

  private raise(index: Index, revision: Revision): void {
    const last = this.floors.at(-1)!;
    if (index <= last.index && revision <= last.revision) return;
    this.floors.push({ index: Math.max(index, last.index), revision: Math.max(revision, last.revision) });
  }
}

/** True where the outcome made a revision. */
function writes(outcome: string): boolean {
  return outcome.startsWith("put");
}

/** Errors: Violation where the answer is not what the history has at that revision. */
export function checkRead(
  member: string,
  request: RangeRequest,
  outcome: RangeResult | StoreError,
  { history, coverage }: { readonly history: History; readonly coverage: Coverage },
): void {
  if (outcome instanceof StoreError) {
    if (!isStoreError(outcome, "Compacted")) return;
    coverage.hit("read/compacted");
    if (request.revision >= history.compacted) {
      throw new Violation(
        "reads",
        `${member} says that ${request.revision} is compacted; it is ${history.compacted}`,
      );
    }
    return;
  }
  const at = request.revision > 0 ? request.revision : outcome.revision;
  if (request.revision > 0) coverage.hit("read/at a past revision");
  const end = request.rangeEnd.length === 0 ? undefined : bytesToLatin1(request.rangeEnd);
  const expected = history.read(bytesToLatin1(request.key), end, at);
  const same =
    outcome.kvs.length === expected.length &&
    expected.every((pair, position) => equalBytes(pair, outcome.kvs[position]!));
  if (!same) throw new Violation("reads", `${member} shows other keys at revision ${at} than were written`);
}
