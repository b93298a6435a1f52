/**
 * Resolves when the other events of the loop have had their turn: between the slices of long work. Not for the pure
 * rooms, which know no promise. `setImmediate` is looked up at each call, so that it is virtual in the simulator.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
