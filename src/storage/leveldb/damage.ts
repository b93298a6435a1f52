import { DamageError } from "../../base/errors.js";

/** The error for a store that is not what was written. `location` is its directory; `what` says what was found. */
export function damagedStore(location: string, what: string): DamageError {
  return new DamageError(
    `revision store ${location}: ${what}. Nothing was repaired or served from it. ` +
      "To recover, remove this member from the cluster, delete its member directory, and add it again: " +
      "it then fetches the data from its peers",
  );
}
