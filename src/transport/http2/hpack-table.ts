/** The two tables of HPACK (RFC 7541, section 2.3): what a header field may be named by. */

/** A name and a value, each a latin1 string (one character a byte). Equal fields may be the same object. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
  /** Breaks RFC 9113, section 8.2.1 (characters that a field must not have); known once for all uses of a table entry. */
  readonly malformed: boolean;
}

/** Section 4.1: what an entry counts beside its bytes. */
export const entryOverheadBytes = 32;

export function fieldBytes(field: HeaderField): number {
  return field.name.length + field.value.length + entryOverheadBytes;
}

/** Appendix A, from index 1. `name=value`, or a name alone. */
// biome-ignore format: a table
const staticNames = [
  ":authority", ":method=GET", ":method=POST", ":path=/", ":path=/index.html", ":scheme=http",
  ":scheme=https", ":status=200", ":status=204", ":status=206", ":status=304", ":status=400", ":status=404",
  ":status=500", "accept-charset", "accept-encoding=gzip, deflate", "accept-language", "accept-ranges",
  "accept", "access-control-allow-origin", "age", "allow", "authorization", "cache-control",
  "content-disposition", "content-encoding", "content-language", "content-length", "content-location",
  "content-range", "content-type", "cookie", "date", "etag", "expect", "expires", "from", "host",
  "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified",
  "link", "location", "max-forwards", "proxy-authenticate", "proxy-authorization", "range", "referer",
  "refresh", "retry-after", "server", "set-cookie", "strict-transport-security", "transfer-encoding",
  "user-agent", "vary", "via", "www-authenticate",
] as const;

/** Index 0 is unused. */
export const staticTable: readonly (HeaderField | undefined)[] = [
  undefined,
  ...staticNames.map((entry): HeaderField => {
    const equals = entry.indexOf("=");
    if (equals < 0) return { name: entry, value: "", malformed: false };
    return { name: entry.slice(0, equals), value: entry.slice(equals + 1), malformed: false };
  }),
];

/** First static index of each name. */
export const staticNameIndex: ReadonlyMap<string, number> = new Map(
  staticTable
    .map((field, index): [string, number] => [field?.name ?? "", index])
    .slice(1)
    .reverse(),
);

/**
 * Entries by age, the newest at index 62 of the common address space (section 2.3.3). A ring: with a bound of
 * 4,096 bytes there are at most 128 entries.
 *
 * Example: after inserting a, then b: at(62) is b, at(63) is a.
 */
export class DynamicTable {
  private readonly ring: (HeaderField | undefined)[];
  private readonly mask: number;
  private newest = -1;
  private count = 0;
  private sizeBytes = 0;
  private boundBytes: number;
  /** Grows with every change: what was decoded from bytes alone holds as long as it stays. */
  generation = 0;

  constructor(readonly capacityBytes: number) {
    let slots = 1;
    while (slots * entryOverheadBytes < capacityBytes) slots *= 2;
    this.ring = new Array<HeaderField | undefined>(slots).fill(undefined);
    this.mask = slots - 1;
    this.boundBytes = capacityBytes;
  }

  get bytes(): number {
    return this.sizeBytes;
  }

  /** The field at `index` of the common address space; undefined where there is none. */
  at(index: number): HeaderField | undefined {
    if (index < staticTable.length) return staticTable[index];
    const age = index - staticTable.length;
    return age < this.count ? this.ring[(this.newest - age) & this.mask] : undefined;
  }

  /** Section 4.4: a field over the bound empties the table and is not kept. */
  insert(field: HeaderField): void {
    this.generation++;
    const bytes = fieldBytes(field);
    this.evictTo(this.boundBytes - bytes);
    if (bytes > this.boundBytes) return;
    this.newest = (this.newest + 1) & this.mask;
    this.ring[this.newest] = field;
    this.count++;
    this.sizeBytes += bytes;
  }

  /** A dynamic table size update (section 6.3), already checked against the capacity. */
  setBound(bytes: number): void {
    this.generation++;
    this.boundBytes = bytes;
    this.evictTo(bytes);
  }

  private evictTo(bytes: number): void {
    while (this.count > 0 && this.sizeBytes > bytes) {
      const oldest = (this.newest - this.count + 1) & this.mask;
      this.sizeBytes -= fieldBytes(this.ring[oldest]!);
      this.ring[oldest] = undefined;
      this.count--;
    }
  }
}
