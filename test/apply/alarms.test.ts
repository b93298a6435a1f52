import { expect, test } from "vitest";
import { Alarms } from "../../src/apply/alarms.js";
import { MemoryRecords } from "../lease/core-cluster.js";

const high = 0xffff_ffff_ffff_fff0n;

test("alarms are listed by kind, then member, and found again by a member that starts", () => {
  const records = new MemoryRecords();
  const alarms = new Alarms({ records });
  expect(alarms.isActive("NOSPACE")).toBe(false);
  alarms.activate({ memberId: high, alarm: "NOSPACE" });
  alarms.activate({ memberId: 1n, alarm: "NOSPACE" });
  alarms.activate({ memberId: 2n, alarm: "CORRUPT" });
  alarms.activate({ memberId: 2n, alarm: "CORRUPT" });
  const expected = [
    { memberId: 2n, alarm: "CORRUPT" },
    { memberId: 1n, alarm: "NOSPACE" },
    { memberId: high, alarm: "NOSPACE" },
  ];
  for (const read of [alarms, new Alarms({ records })]) {
    expect(read.list()).toEqual(expected);
    expect(read.list("CORRUPT")).toEqual(expected.slice(0, 1));
    expect(read.isActive("NOSPACE") && read.isActive("CORRUPT")).toBe(true);
  }
});

test("an alarm is over when each member's is, and one that was not raised can not be taken back", () => {
  const records = new MemoryRecords();
  const alarms = new Alarms({ records });
  alarms.activate({ memberId: 1n, alarm: "NOSPACE" });
  alarms.activate({ memberId: 2n, alarm: "NOSPACE" });
  expect(alarms.deactivate({ memberId: 1n, alarm: "CORRUPT" })).toBe(false);
  expect(alarms.deactivate({ memberId: 1n, alarm: "NOSPACE" })).toBe(true);
  expect(alarms.deactivate({ memberId: 1n, alarm: "NOSPACE" })).toBe(false);
  expect(alarms.isActive("NOSPACE")).toBe(true);
  alarms.deactivate({ memberId: 2n, alarm: "NOSPACE" });
  expect(alarms.isActive("NOSPACE")).toBe(false);
  expect(new Alarms({ records }).list()).toEqual([]);
});

test("records under the same prefix that are no alarm of this version are passed over", () => {
  const records = new MemoryRecords();
  records.setState("alarm/NEWKIND/0000000000000001", new Uint8Array());
  expect(new Alarms({ records }).list()).toEqual([]);
});
