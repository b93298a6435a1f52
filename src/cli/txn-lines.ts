/**
 * The lines that `txn` reads: conditions such as `mod("key") > "3"`, and words of a command with Go's quoting.
 * A line is a latin1 string, one character a byte, so that any key can be written.
 */
import { latin1ToBytes } from "../base/bytes.js";
import { type Compare, type CompareOperator, compare } from "../client/index.js";
import { CliFailure, ExitCode } from "./failure.js";
import { quoteBytes } from "./go-format.js";
import { parseGoInt } from "./go-values.js";

export function invalidInput(message: string): CliFailure {
  return new CliFailure(ExitCode.InvalidInput, message);
}

/** A line as text for people. */
export function shown(line: string): string {
  return Buffer.from(line, "latin1").toString("utf8");
}

const wordPattern = /"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\t\n\f\r ][^\t\n\f\r ]*[^'"\t\n\f\r ]?/g;

/** The words of a line; "…" with Go's escapes, '…' as it is. Errors: CliFailure for an escape that there is not. */
export function splitWords(line: string): string[] {
  return (line.match(wordPattern) ?? []).map((word) => {
    if (word.startsWith("'")) return word.slice(1, -1);
    if (!word.startsWith('"')) return word;
    const text = unquote(word);
    if (text === undefined) throw invalidInput("invalid syntax");
    return text;
  });
}

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
};

const escapePattern =
  /\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))/g;

/** What a Go string literal stands for, as latin1; undefined where it is none. */
function unquote(literal: string): string | undefined {
  let valid = true;
  const text = literal.slice(1, -1).replace(escapePattern, (_, hex, octal, short, long, letter) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
    const code = short ?? long;
    if (code !== undefined) {
      const point = Number.parseInt(code, 16);
      const isCharacter = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
      valid &&= isCharacter;
      return isCharacter ? Buffer.from(String.fromCodePoint(point)).toString("latin1") : "";
    }
    const escaped = escapes[letter];
    valid &&= escaped !== undefined;
    return escaped ?? "";
  });
  return valid ? text : undefined;
}

interface Scanned {
  readonly key: string;
  readonly operator: string;
  readonly value: string;
  /** How many of the three there were, in this order. */
  readonly found: number;
}

/** `"key") operator "value"`, each part set off by space. */
function scanCompare(text: string): Scanned {
  const quoted = '("(?:[^"\\\\]|\\\\.)*"|`[^`]*`)';
  const keyMatch = new RegExp(`^[ \\t]*${quoted}`).exec(text);
  const key = keyMatch === null ? undefined : literalText(keyMatch[1]!);
  if (keyMatch === null || key === undefined) return { key: "", operator: "", value: "", found: 0 };
  const afterKey = text.slice(keyMatch[0].length);
  const operatorMatch = /^\)[ \t]+([^ \t]+)/.exec(afterKey);
  if (operatorMatch === null) return { key, operator: "", value: "", found: 1 };
  const operator = operatorMatch[1]!;
  const valueMatch = new RegExp(`^[ \\t]+${quoted}`).exec(afterKey.slice(operatorMatch[0].length));
  const value = valueMatch === null ? undefined : literalText(valueMatch[1]!);
  if (value === undefined) return { key, operator, value: "", found: 2 };
  return { key, operator, value, found: 3 };
}

function literalText(literal: string): string | undefined {
  return literal.startsWith("`") ? literal.slice(1, -1) : unquote(literal);
}

const operators: readonly CompareOperator[] = ["=", "!=", ">", "<"];

const numberTargets: Readonly<Record<string, "version" | "create" | "mod" | "lease">> = {
  ver: "version",
  version: "version",
  c: "create",
  create: "create",
  m: "mod",
  mod: "mod",
  lease: "lease",
};

/** The condition on a line. Errors: CliFailure. */
export function parseCompare(line: string): Compare {
  const parenthesis = line.indexOf("(");
  if (parenthesis < 0) throw invalidInput(`malformed comparison: ${shown(line)}`);
  const target = line.slice(0, parenthesis);
  const scanned = scanCompare(line.slice(parenthesis + 1));
  const key = latin1ToBytes(scanned.key);
  const value = latin1ToBytes(scanned.value);
  if (scanned.found < 3) {
    const got = `${shown(target)}(${quoteBytes(key)}) ${shown(scanned.operator)} ${quoteBytes(value)}`;
    throw invalidInput(`malformed comparison: ${shown(line)}; got ${got}`);
  }
  const numberTarget = Object.hasOwn(numberTargets, target) ? numberTargets[target] : undefined;
  if (numberTarget === undefined && target !== "val" && target !== "value") {
    throw invalidInput(`malformed comparison: ${shown(line)} (unknown target ${shown(target)})`);
  }
  const operator = operators.find((candidate) => candidate === scanned.operator);
  if (operator === undefined) {
    const unknown = shown(scanned.operator);
    throw invalidInput(`malformed comparison: ${shown(line)} (unknown operator ${unknown})`);
  }
  if (numberTarget === undefined) return compare(key, "value", operator, value);
  return compare(key, numberTarget, operator, readNumber(scanned.value, line));
}

function readNumber(text: string, line: string): bigint {
  try {
    return parseGoInt(text, 10);
  } catch {
    throw invalidInput(`invalid txn compare request: ${shown(line)}`);
  }
}
