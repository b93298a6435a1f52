/** Puts what bench/results holds into docs/performance.md, between the marks that stand there, and draws the plots. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "../test/support/server-binary.js";
import { svgPlot } from "./plot.js";
import {
  type GrowthResult,
  type PausesResult,
  type ProfileResult,
  readResult,
  resultsDirectory,
  type TableResult,
} from "./results.js";
import { formatFigure, machineLine, markdownTable, missed, tables } from "./table.js";

const documentPath = join(repositoryRoot, "docs/performance.md");
const plotsDirectory = join(repositoryRoot, "docs/performance");
const missingText = "No figures are kept yet.";

/** The document with the text between the marks of `name` replaced. Throws where the marks are not there. */
export function replaceSection(document: string, name: string, text: string): string {
  const begin = `<!-- bench:${name} -->`;
  const end = `<!-- /bench:${name} -->`;
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the document has no marks for ${name}`);
  return `${document.slice(0, from + begin.length)}\n\n${text}\n\n${document.slice(to)}`;
}

export function tableText(result: TableResult): string {
  const noise = result.quick ? " Short runs (`--quick`): to be read as a sketch." : "";
  const misses = missed(result.rows, result.machine.cores).map((line) => `- ${line}`);
  return [
    `${machineLine(result)} Medians of ${result.runs} interleaved run${result.runs === 1 ? "" : "s"}.${noise}`,
    ...tables(result.rows, result.machine.cores).map(markdownTable),
    misses.length === 0
      ? "Every target that was measured is reached."
      : ["Missed:", "", ...misses].join("\n"),
  ].join("\n\n");
}

export function profileText(result: ProfileResult): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const parts: string[] = [machineLine({ ...result, versions: {} }).replace(/^, /, "")];
  for (const { workload, requests, idleShare, rooms, functions } of result.profiles) {
    const lines = (all: typeof rooms, shown: number) =>
      all.slice(0, shown).map((part) => [part.place, part.microsPerRequest.toFixed(2), percent(part.share)]);
    parts.push(
      `### ${workload}`,
      `${requests.toLocaleString("en")} requests; the thread was idle for ${percent(idleShare)} of the time.`,
      markdownTable([["room", "µs a request", "share"], ...lines(rooms, rooms.length)]),
      markdownTable([["function", "µs a request", "share"], ...lines(functions, 14)]),
    );
  }
  return parts.join("\n\n");
}

export function pausesText(result: PausesResult): string {
  const { p50, p99, p999, max, count } = result.lateMs;
  const late = [p50, p99, p999, max].map((ms) => ms.toFixed(1));
  const rows = result.loads.map(({ workload, clients, perSecond, p50, p99 }) => [
    ...[workload, String(clients), formatFigure(perSecond), formatFigure(p50), formatFigure(p99)],
  ]);
  return [
    machineLine({ ...result, versions: {} }).replace(/^, /, ""),
    `Timers of the event loop came late by ${late[0]} ms (p50), ${late[1]} (p99), ${late[2]} (p99.9), ${late[3]} at most, of ${count.toLocaleString("en")}; meanwhile it served`,
    markdownTable([["requests", "clients", "/s", "p50 ms", "p99 ms"], ...rows]),
  ].join("\n\n");
}

async function growthText(result: GrowthResult): Promise<string> {
  await mkdir(plotsDirectory, { recursive: true });
  for (const plot of result.plots) await writeFile(join(plotsDirectory, `${plot.name}.svg`), svgPlot(plot));
  const images = result.plots.map((plot) => `![${plot.title}](performance/${plot.name}.svg)`);
  return [machineLine(result), ...images].join("\n\n");
}

export async function writeDocs(): Promise<void> {
  let document = await readFile(documentPath, "utf8");
  for (const name of ["table", "table-3.4", "table-lean", "growth", "profile", "pauses"]) {
    const result = await readResult(join(resultsDirectory, `${name}.json`));
    let text = missingText;
    if (result?.kind === "table") text = tableText(result);
    if (result?.kind === "pauses") text = pausesText(result);
    if (result?.kind === "profile") text = profileText(result);
    if (result?.kind === "growth") text = await growthText(result);
    document = replaceSection(document, name, text);
  }
  await writeFile(documentPath, document);
}
