/** Texts taken apart as Go's strconv and strings do, which etcd's flags are parsed by. */
const trueTexts = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const falseTexts = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** Undefined where `text` is no boolean. */
export function parseBool(text: string): boolean | undefined {
  if (trueTexts.has(text)) return true;
  return falseTexts.has(text) ? false : undefined;
}

export type IntegerResult = number | "parse error" | "value out of range";

const bounds = {
  int: [-(1n << 63n), (1n << 63n) - 1n],
  uint: [0n, (1n << 64n) - 1n],
  uint32: [0n, (1n << 32n) - 1n],
} as const;

/**
 * Decimal, or hexadecimal (0x), octal (0o, or a leading 0) or binary (0b). What is beyond 2^53 is clamped: no
 * setting means anything different up there.
 */
export function parseInteger(text: string, kind: keyof typeof bounds): IntegerResult {
  const match = /^([-+]?)(\d+|0x[0-9a-f]+|0o[0-7]+|0b[01]+)$/i.exec(text);
  if (match === null || (match[1] !== "" && kind !== "int")) return "parse error";
  const digits = match[2]!;
  if (/^0\d+$/.test(digits) && !/^0[0-7]+$/.test(digits)) return "parse error";
  const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits.toLowerCase());
  const value = match[1] === "-" ? -magnitude : magnitude;
  const [least, most] = bounds[kind];
  if (value < least || value > most) return "value out of range";
  const largest = BigInt(Number.MAX_SAFE_INTEGER);
  if (value > largest) return Number.MAX_SAFE_INTEGER;
  return value < -largest ? Number.MIN_SAFE_INTEGER : Number(value);
}

/** The parts before and after the first `separator`; the second is undefined where there is none. */
export function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
