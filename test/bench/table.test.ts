/** The table is what people read of a benchmark: a miss must be called a miss, and what was not measured left empty. */
import { describe, expect, test } from "vitest";
import { replaceSection, tableText } from "../../bench/docs.js";
import type { RowResult, TableResult } from "../../bench/results.js";
import { rows } from "../../bench/rows.js";
import {
  ceiling,
  formatFigure,
  markdownTable,
  missed,
  plainTable,
  tables,
  verdict,
} from "../../bench/table.js";

const put: RowResult = {
  id: "put-1m-100c",
  title: "put",
  targets: [
    { metric: "throughput", bound: 2.5 },
    { metric: "serverCpu", bound: 0.2 },
  ],
  samples: {
    ours: { throughput: [20_000, 30_000, 1], p50: [1], p99: [2], serverCpu: [40] },
    etcd: { throughput: [8_000], p50: [9], p99: [18], serverCpu: [100] },
  },
};
const restart: RowResult = {
  id: "restart-200k",
  title: "restart",
  targets: [{ metric: "restart", bound: 0.5 }],
  samples: { ours: { restart: [500] } },
};

describe("figures", () => {
  test.each([
    [12_345.6, "12,346"],
    [99.94, "99.9"],
    [1.2345, "1.23"],
    [0.000412, "0.000412"],
    [undefined, "–"],
    [Number.NaN, "–"],
  ])("%s reads %s", (value, text) => {
    expect(formatFigure(value)).toBe(text);
  });
});

describe("verdicts", () => {
  test("the ratio is that of the medians, and stands beside what it has to be", () => {
    expect(verdict(put, put.targets[0]!)).toBe("throughput 2.5 (≥ 2.5 ok)");
    expect(verdict(put, put.targets[1]!)).toBe("server CPU 0.4 (≤ 0.2 MISSED)");
  });

  test("without the other side there is a target and no verdict", () => {
    expect(verdict(restart, restart.targets[0]!)).toBe("time – (≤ 0.5)");
    expect(missed([restart], 2)).toEqual([]);
  });

  test("what was missed is listed, and nothing else", () => {
    expect(missed([put, restart], 2)).toEqual(["put: server CPU 0.4 (≤ 0.2 MISSED)"]);
  });
});

describe("the ceiling", () => {
  const slow: RowResult = {
    ...put,
    targets: [{ metric: "throughput", bound: 4 }],
    samples: { ...put.samples, ours: { ...put.samples.ours, generatorCpu: [50, 60, 40] } },
  };

  test("is what the generator could ask with all cores to itself, beside what etcd answers", () => {
    expect(ceiling(slow, 2)).toBe(5);
    expect(ceiling({ ...slow, targets: [] }, 2)).toBeUndefined();
    expect(ceiling(put, 2)).toBeUndefined();
  });

  test("stands beside a throughput that was missed", () => {
    expect(missed([slow], 2)).toEqual(["put: throughput 2.5 (≥ 4 MISSED), ceiling 5"]);
  });
});

describe("tables", () => {
  test("requests under load and single figures are tables of their own", () => {
    const [loads, singles] = tables([restart, put], 2);
    expect(loads!.map((line) => line[0])).toEqual(["row", "put"]);
    expect(loads![1]!.slice(1, 4)).toEqual(["20,000", "8,000", "2.5"]);
    expect(singles![1]).toEqual(["restart", "500 ms", "– ms", "–", "time – (≤ 0.5)"]);
  });

  test("a row with one figure has the unit of that figure", () => {
    const held: RowResult = {
      ...{ id: "memory-watch-10k", title: "memory of a watch" },
      targets: [{ metric: "perItem", bound: 1 }],
      samples: { ours: { perItem: [500] }, etcd: { perItem: [1_000] } },
    };
    const cells = ["memory of a watch", "500 B", "1,000 B", "0.5", "memory of one 0.5 (≤ 1 ok)"];
    expect(tables([held], 2)[0]![1]).toEqual(cells);
  });

  test("every line has as many cells as its header", () => {
    for (const cells of tables([restart, put], 2))
      for (const line of cells) expect(line).toHaveLength(cells[0]!.length);
  });

  test("columns stand under each other", () => {
    const cells = [
      ["row", "a", "target"],
      ["long row", "12", ""],
    ];
    expect(plainTable(cells)).toBe("row        a  target\nlong row  12");
    expect(markdownTable(cells)).toBe("| row | a | target |\n|---|--:|---|\n| long row | 12 |  |");
  });
});

describe("the document", () => {
  test("a section is replaced between its marks and nowhere else", () => {
    const document = "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nb\n";
    expect(replaceSection(document, "x", "new")).toBe("a\n<!-- bench:x -->\n\nnew\n\n<!-- /bench:x -->\nb\n");
    expect(() => replaceSection(document, "y", "new")).toThrow("no marks for y");
  });

  test("says under which conditions the figures were taken", () => {
    const result: TableResult = {
      kind: "table",
      startedAt: "2026-01-02T03:04:05.000Z",
      client: "grpc-go",
      runs: 5,
      quick: true,
      versions: { ours: "3.7.1", etcd: "3.7.0" },
      machine: {
        cpu: "Some CPU",
        cores: 2,
        memoryGb: 25,
        kernel: "6.0",
        node: "v20.0.0",
        go: "go1.26",
        sync: { p50Micros: 100, p99Micros: 200 },
        loadBefore: 3.25,
        loadAfter: 1,
      },
      rows: [put],
    };
    const text = tableText(result);
    for (const fact of ["load average before the run 3.3", "grpc-go", "Some CPU", "--quick", "Missed:"])
      expect(text).toContain(fact);
  });
});

describe("rows", () => {
  test("have ids of their own, so that --only means one thing", () => {
    const ids = rows.map((row) => row.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("a row with a target that is never measured would always pass: each target fits the kind of its row", () => {
    for (const row of rows) {
      for (const { metric } of row.targets) {
        if (row.kind === "restart" || row.kind === "resident") expect(metric).toBe(row.kind);
        else if (row.kind === "hold") expect(metric).toBe("perItem");
        else expect(["throughput", "p50", "p99", "serverCpu"]).toContain(metric);
      }
    }
  });
});
