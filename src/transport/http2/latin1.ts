/** Header bytes as latin1 strings: one character a byte. Buffer's own method, which its types leave out, is the fastest. */
interface Latin1Sliceable {
  latin1Slice(start: number, end: number): string;
}

export function latin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1Sliceable).latin1Slice(start, end);
}
