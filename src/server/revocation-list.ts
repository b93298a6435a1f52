/**
 * The serial numbers of a certificate revocation list (RFC 5280, section 5.1), in DER or PEM. As in etcd the list is
 * taken at its word: it is a file of the operator's, so neither its signature nor its time is looked at.
 */

/** Tags of DER (X.690, section 8). */
const Tag = { Integer: 0x02, UtcTime: 0x17, GeneralizedTime: 0x18, Sequence: 0x30 } as const;

/** One element of DER: where its content lies, and where the next element begins. */
interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** The revoked serial numbers. Throws Error where `bytes` are no revocation list. */
export function parseRevocationList(bytes: Buffer): ReadonlySet<bigint> {
  const der = fromPem(bytes);
  const list = elementAt(der, 0, der.length, Tag.Sequence);
  const body = elementAt(der, list.start, list.end, Tag.Sequence);
  let parts = children(der, body);
  // The version is left out in lists of version 1.
  if (parts[0]?.tag === Tag.Integer) parts = parts.slice(1);
  // Algorithm and issuer, then one or two times.
  if (parts[0]?.tag !== Tag.Sequence || parts[1]?.tag !== Tag.Sequence || !isTime(parts[2]))
    throw malformed();
  const revoked = parts[isTime(parts[3]) ? 4 : 3];
  const serials = new Set<bigint>();
  if (revoked?.tag !== Tag.Sequence) return serials;
  for (const entry of children(der, revoked)) {
    const serial = elementAt(der, entry.start, entry.end, Tag.Integer);
    serials.add(BigInt(`0x${der.toString("hex", serial.start, serial.end) || "0"}`));
  }
  return serials;
}

function isTime(element: Element | undefined): boolean {
  return element?.tag === Tag.UtcTime || element?.tag === Tag.GeneralizedTime;
}

function fromPem(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  const pem = /-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/.exec(text);
  return pem === null ? bytes : Buffer.from(pem[1]!, "base64");
}

function children(der: Buffer, parent: Element): readonly Element[] {
  const found: Element[] = [];
  for (let at = parent.start; at < parent.end; at = found.at(-1)!.end)
    found.push(elementAt(der, at, parent.end));
  return found;
}

function elementAt(der: Buffer, at: number, limit: number, wanted?: number): Element {
  const tag = der[at];
  const first = der[at + 1];
  if (tag === undefined || first === undefined || (wanted !== undefined && tag !== wanted)) throw malformed();
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    if (lengthBytes === 0 || lengthBytes > 4 || start + lengthBytes > limit) throw malformed();
    length = der.readUIntBE(start, lengthBytes);
    start += lengthBytes;
  }
  if (start + length > limit) throw malformed();
  return { tag, start, end: start + length };
}

function malformed(): Error {
  return new Error("x509: malformed crl");
}
