/** Text as Go's fmt, encoding/json and go-humanize write it. */

const simpleEscapes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** `%q` of bytes: a Go string literal. What is not UTF-8 becomes \x.., what cannot be seen \u.... */
export function quoteBytes(bytes: Uint8Array): string {
  let quoted = '"';
  let at = 0;
  while (at < bytes.length) {
    const length = utf8Length(bytes, at);
    if (length === 0) {
      quoted += `\\x${bytes[at]!.toString(16).padStart(2, "0")}`;
      at++;
      continue;
    }
    quoted += quoteCharacter(Buffer.from(bytes.subarray(at, at + length)).toString("utf8"));
    at += length;
  }
  return `${quoted}"`;
}

export function quoteText(text: string): string {
  return quoteBytes(Buffer.from(text, "utf8"));
}

function quoteCharacter(character: string): string {
  const escaped = simpleEscapes[character];
  if (escaped !== undefined) return escaped;
  if (printable.test(character)) return character;
  const code = character.codePointAt(0)!;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/** Bytes of the UTF-8 character at `at`, 0 where there is no valid one (RFC 3629 section 4). */
function utf8Length(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return 0;
  for (let offset = 1; offset < length; offset++) if ((bytes[at + offset]! & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1]!;
  const overlong = (first === 0xe0 && second < 0xa0) || (first === 0xf0 && second < 0x90);
  const surrogate = first === 0xed && second > 0x9f;
  const tooHigh = first === 0xf4 && second > 0x8f;
  return overlong || surrogate || tooHigh ? 0 : length;
}

const jsonUnsafe = /[<>&\u2028\u2029]/g;

/** A JSON string as Go's encoder writes it: with <, >, & and the two line separators escaped. */
export function jsonText(text: string): string {
  const escapeUnsafe = (character: string): string =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text).replace(jsonUnsafe, escapeUnsafe);
}

/** A time.Duration as Go prints it: "2.414845ms", "1m30s". `durationMs` may have a fraction. */
export function formatDuration(durationMs: number): string {
  let rest = BigInt(Math.round(Math.abs(durationMs) * 1e6));
  const sign = durationMs < 0 ? "-" : "";
  if (rest === 0n) return "0s";
  if (rest < 1_000n) return `${sign}${rest}ns`;
  if (rest < 1_000_000n) return `${sign}${decimal(rest, 3)}µs`;
  if (rest < 1_000_000_000n) return `${sign}${decimal(rest, 6)}ms`;
  const minuteNs = 60_000_000_000n;
  const seconds = `${decimal(rest % minuteNs, 9)}s`;
  rest /= minuteNs;
  if (rest === 0n) return sign + seconds;
  const minutes = `${rest % 60n}m`;
  rest /= 60n;
  return rest === 0n ? sign + minutes + seconds : `${sign}${rest}h${minutes}${seconds}`;
}

/** `value` with its last `places` digits after the point, zeros at the end left out. */
function decimal(value: bigint, places: number): string {
  const digits = value.toString().padStart(places + 1, "0");
  const fraction = digits.slice(-places).replace(/0+$/, "");
  return digits.slice(0, -places) + (fraction === "" ? "" : `.${fraction}`);
}

const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB", "EB"] as const;

/** A size in bytes for people, in powers of 1000: "25 kB", "2.1 GB". */
export function humanBytes(size: bigint): string {
  if (size < 10n) return `${size} B`;
  const exponent = Math.floor(Math.log(Number(size)) / Math.log(1000));
  const value = Math.floor((Number(size) / 1000 ** exponent) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : roundHalfEven(value)} ${byteUnits[exponent]}`;
}

/** As Go's %.0f does it: 20.5 becomes 20, and 21.5 becomes 22. */
function roundHalfEven(value: number): number {
  const whole = Math.floor(value);
  const isHalf = value - whole === 0.5;
  return isHalf ? whole + (whole % 2) : Math.round(value);
}

/** 64-bit ids in hexadecimal, padded with zeros on request. */
export function hexId(id: bigint, digits = 0): string {
  return BigInt.asUintN(64, id).toString(16).padStart(digits, "0");
}
