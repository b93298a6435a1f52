import { describe, expect, test } from "vitest";
import { clusterIdOf, formatId, memberIdOf } from "../../../src/server/bootstrap/ids.js";

/** Ids that an etcd 3.7.1 logged when it was started with these flags. */
describe("members of both programs find the same ids from the same flags", () => {
  test("a founder alone", () => {
    const id = memberIdOf(["http://127.0.0.1:28380"], "etcd-cluster", undefined);
    expect(formatId(id)).toBe("474f8fd6da73ef6f");
    expect(formatId(clusterIdOf([id]))).toBe("453f7fb4630f4889");
  });

  test("three founders, one with two URLs in either order, and a token of their own", () => {
    const a = memberIdOf(["http://127.0.0.1:28480"], "tok-1", undefined);
    const b = memberIdOf(["http://127.0.0.1:28481"], "tok-1", undefined);
    const c = memberIdOf(["http://localhost:28483", "http://127.0.0.1:28482"], "tok-1", undefined);
    expect([a, b, c].map(formatId)).toEqual(["6c00d1bb5ab73203", "2a20a676033de251", "e04e3510e29acb45"]);
    expect(formatId(clusterIdOf([a, b, c]))).toBe("47cf870b6d5620fd");
    expect(clusterIdOf([c, b, a])).toBe(clusterIdOf([a, b, c]));
  });

  test("one that was added later, by its time and without the token", () => {
    expect(formatId(memberIdOf(["http://127.0.0.1:28390"], "", 1_795_316_121))).toBe("a3a5c32272e2e246");
  });
});
