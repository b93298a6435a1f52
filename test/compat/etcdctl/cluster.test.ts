/** Debian's etcdctl on endpoints and members: what operators look at. */
import { expect } from "vitest";
import type { Cases } from "../targets.js";
import { describeEtcdctl, type Etcdctl } from "./etcdctl.js";

/** The cells of an ASCII table, row by row, headings first. */
function tableCells(text: string): readonly (readonly string[])[] {
  const rows = text.split("\n").filter((line) => line.startsWith("|"));
  return rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const endpointCases: Cases<Etcdctl> = {
  "endpoint health finds every member healthy": async (ctl) => {
    const finished = await ctl.run(["endpoint", "health"]);
    expect(finished.code).toBe(0);
    for (const endpoint of ctl.cluster.endpoints) {
      expect(finished.stderr).toContain(`${endpoint} is healthy: successfully committed proposal: took = `);
    }
    const answers = JSON.parse(await ctl.ok(["--write-out", "json", "endpoint", "health"])) as {
      health: boolean;
    }[];
    expect(answers.map((answer) => answer.health)).toEqual(ctl.cluster.endpoints.map(() => true));
  },
  "endpoint status has its columns, and one leader": async (ctl, target) => {
    await ctl.ok(["put", "status/a", "1"]);
    const lines = (await ctl.ok(["endpoint", "status"])).split("\n");
    expect(lines.length).toBe(target.memberCount);
    for (const [at, line] of lines.entries()) {
      const cells = line.split(", ");
      expect(cells[0]).toBe(ctl.cluster.endpoints[at]);
      expect(cells[1]).toMatch(/^[0-9a-f]{1,16}$/);
      expect(cells[2]).toBe(target.binary.version);
      expect(cells[3]).toMatch(/^[\d.]+ [kMG]?B$/);
      expect(cells[5]).toBe("false");
      for (const number of cells.slice(6, 9)) expect(number).toMatch(/^[1-9]\d*$/);
      expect(cells[9]).toBe("");
    }
    expect(lines.filter((line) => line.split(", ")[4] === "true").length).toBe(1);
  },
  "endpoint status as a table names its columns": async (ctl, target) => {
    const [headings, ...rows] = tableCells(await ctl.ok(["--write-out", "table", "endpoint", "status"]));
    expect(headings).toEqual([
      "ENDPOINT",
      "ID",
      "VERSION",
      "DB SIZE",
      "IS LEADER",
      "IS LEARNER",
      "RAFT TERM",
      "RAFT INDEX",
      "RAFT APPLIED INDEX",
      "ERRORS",
    ]);
    expect(rows.map((row) => row[0])).toEqual(ctl.cluster.endpoints);
    expect(rows.length).toBe(target.memberCount);
  },
  "endpoint status in JSON and fields agrees with itself": async (ctl, target) => {
    interface Status {
      readonly Endpoint: string;
      readonly Status: {
        readonly version: string;
        readonly dbSize: number;
        readonly raftTerm: number;
        readonly raftIndex: number;
        readonly raftAppliedIndex: number;
        readonly header: { readonly raft_term: number };
      };
    }
    const all = JSON.parse(await ctl.ok(["--write-out", "json", "endpoint", "status"])) as Status[];
    expect(all.map((one) => one.Endpoint)).toEqual(ctl.cluster.endpoints);
    for (const { Status: status } of all) {
      expect(status.version).toBe(target.binary.version);
      expect(status.dbSize).toBeGreaterThan(0);
      expect(status.raftTerm).toBe(status.header.raft_term);
      expect(status.raftAppliedIndex).toBeLessThanOrEqual(status.raftIndex);
    }
    const fields = await ctl.ok(["--write-out", "fields", "endpoint", "status"]);
    expect(fields).toContain(`"Version" : "${target.binary.version}"`);
    expect(fields).toMatch(/"DBSize" : \d+\n"Leader" : \d+\n"IsLearner" : false\n"RaftIndex" : \d+/);
  },
  "endpoint hashkv agrees on all members": async (ctl) => {
    await ctl.ok(["put", "hash/a", "1"]);
    const { header } = await ctl.json(["get", "hash/a"]);
    const lines = (await ctl.ok(["endpoint", "hashkv", `--rev=${header.revision}`])).split("\n");
    expect(lines.map((line) => line.split(", ")[0])).toEqual(ctl.cluster.endpoints);
    expect(new Set(lines.map((line) => line.split(", ")[1])).size).toBe(1);
    const rows = tableCells(
      await ctl.ok(["--write-out", "table", "endpoint", "hashkv", `--rev=${header.revision}`]),
    );
    expect(rows[0]).toEqual(["ENDPOINT", "HASH"]);
    expect(rows.slice(1).map((row) => row.join(", "))).toEqual(lines);
  },
};

const memberCases: Cases<Etcdctl> = {
  "member list names id, state, name and addresses": async (ctl, target) => {
    const lines = (await ctl.ok(["member", "list"])).split("\n");
    expect(lines.length).toBe(target.memberCount);
    const cells = lines.map((line) => line.split(", "));
    for (const [id, state, , peer, , isLearner] of cells) {
      expect(id).toMatch(/^[0-9a-f]{1,16}$/);
      expect([state, isLearner]).toEqual(["started", "false"]);
      expect(peer).toMatch(target.withTls ? /^https:\/\/127\.0\.0\.1:\d+$/ : /^http:\/\/127\.0\.0\.1:\d+$/);
    }
    expect(cells.map((each) => each[2]).sort()).toEqual(
      ctl.cluster.cluster.members.map((each) => each.plan.name),
    );
    expect(cells.map((each) => each[4]).sort()).toEqual(
      ctl.cluster.cluster.members.map((member) => member.url("")).sort(),
    );
    const table = tableCells(await ctl.ok(["--write-out", "table", "member", "list"]));
    expect(table[0]).toEqual(["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"]);
    expect(table.slice(1).map((row) => row.join(", "))).toEqual(lines);
  },
  "member list in fields and JSON": async (ctl, target) => {
    const fields = await ctl.ok(["--write-out", "fields", "member", "list"]);
    // The header of a member list tells no revision.
    expect(fields).toMatch(
      /^"ClusterID" : \d+\n"MemberID" : \d+\n"Revision" : 0\n"RaftTerm" : \d+\n"ID" : \d+\n/,
    );
    expect(fields.split("\n").filter((line) => line === '"IsLearner" : false').length).toBe(
      target.memberCount,
    );
    const json = JSON.parse(await ctl.ok(["--write-out", "json", "member", "list"])) as {
      members: { name: string }[];
    };
    expect(json.members.map((member) => member.name).sort()).toEqual(
      ctl.cluster.cluster.members.map((each) => each.plan.name),
    );
  },
  "alarm list is empty": async (ctl) => {
    expect(await ctl.ok(["alarm", "list"])).toBe("");
  },
};

describeEtcdctl("etcdctl on the cluster", { ...endpointCases, ...memberCases });
