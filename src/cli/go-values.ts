/**
 * Numbers, booleans and durations as Go's strconv and time packages read them, with their error texts, which
 * etcdctl shows to its users.
 */
const signs: Readonly<Record<string, bigint>> = { "+": 1n, "-": -1n };
const radixPrefixes: Readonly<Record<string, number>> = { "0x": 16, "0b": 2, "0o": 8 };

/** `radix` 0 reads prefixes (0x, 0b, 0o, a leading 0) and underscores, as pflag's integers do. */
function readInteger(text: string, radix: number, name: string, min: bigint, max: bigint): bigint {
  const syntaxError = new Error(`strconv.${name}: parsing ${JSON.stringify(text)}: invalid syntax`);
  const signed = min < 0n && text[0] !== undefined && text[0] in signs;
  let digits = (signed ? text.slice(1) : text).toLowerCase();
  let base = radix;
  if (radix === 0) {
    base = radixPrefixes[digits.slice(0, 2)] ?? 10;
    if (base !== 10) digits = digits.slice(2);
    else if (/^0[0-9_]/.test(digits)) {
      base = 8;
      digits = digits.slice(1);
    }
    if (/(^|[^0-9a-f])_|_$|__/.test(digits)) throw syntaxError;
    digits = digits.replaceAll("_", "");
  }
  if (digits === "") throw syntaxError;
  let value = 0n;
  for (const character of digits) {
    const digit = Number.parseInt(character, 36);
    if (!(digit < base)) throw syntaxError;
    value = value * BigInt(base) + BigInt(digit);
  }
  if (signed) value *= signs[text[0]!]!;
  if (value < min || value > max) {
    throw new Error(`strconv.${name}: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return value;
}

/** A signed 64-bit integer. */
export function parseGoInt(text: string, radix: 0 | 10 | 16): bigint {
  return readInteger(text, radix, "ParseInt", -(1n << 63n), (1n << 63n) - 1n);
}

/** An unsigned 64-bit integer. */
export function parseGoUint(text: string, radix: 10 | 16): bigint {
  return readInteger(text, radix, "ParseUint", 0n, (1n << 64n) - 1n);
}

export function parseGoBool(text: string): boolean {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "\u00b5s": 1e-3,
  "\u03bcs": 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** "1m30s" and the like, in milliseconds with a fraction. */
export function parseGoDuration(text: string): number {
  const invalid = new Error(`time: invalid duration ${JSON.stringify(text)}`);
  const unsigned = text.replace(/^[-+]/, "");
  if (unsigned === "0") return 0;
  if (unsigned === "") throw invalid;
  let totalMs = 0;
  let rest = unsigned;
  while (rest !== "") {
    const match = /^(\d+\.?\d*|\.\d+)([^.\d]*)/.exec(rest);
    if (match === null) throw invalid;
    const unit = match[2]!;
    if (unit === "") throw new Error(`time: missing unit in duration ${JSON.stringify(text)}`);
    const factor = unitMs[unit];
    if (factor === undefined) {
      throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    }
    totalMs += Number(match[1]) * factor;
    rest = rest.slice(match[0].length);
  }
  // Go counts nanoseconds in 63 bits: about 292 years.
  if (totalMs >= 2 ** 63 / 1e6) throw invalid;
  return text.startsWith("-") ? -totalMs : totalMs;
}
