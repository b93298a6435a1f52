/** Places in a list whose pieces each begin where the one before ends. */

/** Index of the piece that holds `position`: the last one that begins at or before it. The list is not empty. */
export function pieceAt(pieces: readonly { readonly first: number }[], position: number): number {
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (pieces[middle]!.first <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}
