import { describe, expect, test } from "vitest";
import { ReadTable } from "../../src/member/core/reads.js";

function table(): ReadTable {
  return new ReadTable({ id: 7n, incarnation: 3, retryTicks: 2 });
}

describe("linearizable reads", () => {
  test("one question serves all who waited when it was asked, and nobody who came later", () => {
    const reads = table();
    reads.add(1);
    reads.add(2);
    const question = reads.begin();
    reads.add(3);
    expect(reads.canBegin).toBe(false);
    reads.confirm(question, 10);
    const ready: number[] = [];
    reads.release(10, ready);
    expect(ready).toEqual([1, 2]);
    expect(reads.canBegin).toBe(true);
  });

  test("a confirmed read waits until what was committed then is applied here", () => {
    const reads = table();
    reads.add(1);
    reads.confirm(reads.begin(), 10);
    const ready: number[] = [];
    reads.release(9, ready);
    expect(ready).toEqual([]);
    reads.release(10, ready);
    expect(ready).toEqual([1]);
    reads.release(11, ready);
    expect(ready).toEqual([1]);
  });

  test("a repeated question has another context, and the answer to the first one counts no more", () => {
    const reads = table();
    reads.add(1);
    const first = reads.begin();
    reads.tick();
    expect(reads.canBegin).toBe(false);
    reads.tick();
    expect(reads.canBegin).toBe(true);
    const second = reads.begin();
    expect(second).not.toEqual(first);
    // A leader deposed since may still answer the first.
    reads.confirm(first, 5);
    const ready: number[] = [];
    reads.release(100, ready);
    expect(ready).toEqual([]);
    reads.confirm(second, 6);
    reads.release(100, ready);
    expect(ready).toEqual([1]);
  });

  test("contexts differ between members and between lives of a member", () => {
    const contexts = [
      new ReadTable({ id: 7n, incarnation: 3, retryTicks: 2 }),
      new ReadTable({ id: 7n, incarnation: 4, retryTicks: 2 }),
      new ReadTable({ id: 8n, incarnation: 3, retryTicks: 2 }),
    ].map((reads) => {
      reads.add(1);
      return Buffer.from(reads.begin()).toString("hex");
    });
    expect(new Set(contexts).size).toBe(3);
  });

  test("when a question is lost with its leader, its readers come first in the next", () => {
    const reads = table();
    reads.add(1);
    reads.begin();
    reads.add(2);
    reads.forgetQuestion();
    reads.confirm(reads.begin(), 4);
    const ready: number[] = [];
    reads.release(4, ready);
    expect(ready).toEqual([1, 2]);
  });
});
