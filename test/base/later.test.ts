import { describe, expect, test } from "vitest";
import { AssertionError } from "../../src/base/assert.js";
import { Later } from "../../src/base/later.js";

/** Notes what a listener is told. */
function listen<Value>(later: Later<Value>): unknown[] {
  const told: unknown[] = [];
  later.settle({ resolve: (value) => told.push(value), reject: (error) => told.push({ error }) });
  return told;
}

describe("a value that comes later", () => {
  test("its listener is told in the call that brings it", () => {
    const later = new Later<number>();
    const told = listen(later);
    expect(told).toEqual([]);
    later.resolve(1);
    expect(told).toEqual([1]);
  });

  test("who listens after it came is told at once", () => {
    const resolved = new Later<number>();
    resolved.resolve(2);
    const rejected = new Later<number>();
    rejected.reject("no");
    expect([listen(resolved), listen(rejected)]).toEqual([[2], [{ error: "no" }]]);
  });

  test("the first outcome counts, and is told once", () => {
    const later = new Later<number>();
    const told = listen(later);
    later.reject("first");
    later.resolve(3);
    later.reject("third");
    expect(told).toEqual([{ error: "first" }]);
  });

  test("what is made of the value is told instead, and what that throws is a failure", () => {
    const doubled = new Later<number>();
    const told = listen(doubled.map((value) => value * 2));
    doubled.resolve(4);
    const broken = new Later<number>();
    const failure = new Error("cannot");
    const heard = listen(
      broken.map(() => {
        throw failure;
      }),
    );
    broken.resolve(1);
    expect([told, heard]).toEqual([[8], [{ error: failure }]]);
  });

  test("a failure is not converted", () => {
    const later = new Later<number>();
    const told = listen(later.map(() => "converted"));
    later.reject("no");
    expect(told).toEqual([{ error: "no" }]);
  });

  test("a second listener is a mistake, whether the value has come or not: the first would wait for ever", () => {
    const open = new Later<number>();
    listen(open);
    expect(() => listen(open)).toThrow(AssertionError);
    const resolved = new Later<number>();
    resolved.resolve(1);
    listen(resolved);
    expect(() => listen(resolved)).toThrow(AssertionError);
  });

  test("a second conversion, or one that comes too late, is a mistake", () => {
    const converted = new Later<number>();
    converted.map(String);
    expect(() => converted.map(String)).toThrow(AssertionError);
    const heard = new Later<number>();
    listen(heard);
    expect(() => heard.map(String)).toThrow(AssertionError);
  });

  test("it is awaited like a promise", async () => {
    const later = new Later<number>();
    const awaited = (async () => (await later.map((value) => value + 1)) * 10)();
    later.resolve(1);
    expect(await awaited).toBe(20);
    const rejected = new Later<number>();
    rejected.reject(new Error("no"));
    await expect(rejected).rejects.toThrow("no");
  });
});
