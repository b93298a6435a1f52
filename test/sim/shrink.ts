/**
 * Makes a failing run smaller: leaves out one kind of fault after another, then those who watch, those who hold leases
 * and the other clients, then time, as long as the same check still fails. Each part of the simulator draws from a
 * random stream of its own, so what is left out does not shift the rest.
 */
import type { SimOptions } from "./options.js";
import { type SimResult, simulate } from "./simulation.js";

/** Tried of each kind of clients, the fewest first. */
const counts = [0, 1, 2, 4, 8];

export async function shrink(failed: SimResult): Promise<SimResult> {
  let smallest = failed;
  const attempt = async (change: Partial<SimOptions>): Promise<void> => {
    const result = await simulate({ ...smallest.options, ...change });
    if (result.violation?.check === failed.violation?.check) smallest = result;
  };
  for (const fault of failed.options.faults) {
    const faults = new Set(smallest.options.faults);
    faults.delete(fault);
    await attempt({ faults });
  }
  for (const kind of ["watchers", "lessees", "clients"] as const) {
    for (const count of counts) if (count < smallest.options[kind]) await attempt({ [kind]: count });
  }
  // Where it failed before everything was healed, nothing after it matters.
  if (smallest.simulatedMs < smallest.options.durationMs) {
    await attempt({ durationMs: Math.ceil(smallest.simulatedMs / 100) * 100 });
  }
  return smallest;
}
