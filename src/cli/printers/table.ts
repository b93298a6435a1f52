/** `-w table`: boxes, headings in capitals and centred, cells to the right. */
import type { Render } from "./printer.js";
import { hashRows, healthRows, memberRows, type Rows, statusRows } from "./rows.js";

export const renderTable: Render = (item) => {
  switch (item.kind) {
    case "memberList":
      return drawTable(memberRows(item.response));
    case "endpointHealth":
      return drawTable(healthRows(item.items));
    case "endpointStatus":
      return drawTable(statusRows(item.items));
    case "endpointHashKv":
      return drawTable(hashRows(item.items));
    case "get":
    case "put":
    case "del":
    case "txn":
    case "memberAdd":
    case "memberRemove":
    case "memberUpdate":
    case "memberPromote":
    case "moveLeader":
    case "alarm":
    case "watch":
    case "leaseGrant":
    case "leaseRevoke":
    case "leaseKeepAlive":
    case "leaseTimeToLive":
    case "leaseList":
      return undefined;
  }
};

export function drawTable({ header, rows }: Rows): string {
  const titles = header.map((title) => title.replaceAll("_", " ").toUpperCase());
  const widths = titles.map((title, column) =>
    Math.max(textWidth(title), ...rows.map((row) => textWidth(row[column]!))),
  );
  const rule = (left: string, middle: string, right: string): string =>
    `${left}${widths.map((width) => "─".repeat(width + 2)).join(middle)}${right}\n`;
  const line = (cells: readonly string[], place: (cell: string, width: number) => string): string =>
    `│${cells.map((cell, column) => ` ${place(cell, widths[column]!)} `).join("│")}│\n`;
  let table = rule("┌", "┬", "┐") + line(titles, centred);
  if (rows.length > 0) table += rule("├", "┼", "┤");
  for (const row of rows) table += line(row, toTheRight);
  return table + rule("└", "┴", "┘");
}

/** Columns on the screen, taking one for each character. */
function textWidth(text: string): number {
  return [...text].length;
}

function centred(text: string, width: number): string {
  const gap = width - textWidth(text);
  const left = Math.floor(gap / 2);
  return " ".repeat(left) + text + " ".repeat(gap - left);
}

function toTheRight(text: string, width: number): string {
  return " ".repeat(width - textWidth(text)) + text;
}
