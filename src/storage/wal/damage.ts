import { DamageError } from "../../base/errors.js";

const advice =
  "The Raft log is not repaired by guessing, as that could lose acknowledged writes. Bring the file back from a " +
  "copy, or remove this member from the cluster and add it again with an empty data directory: it receives " +
  "everything from the other members. A cluster of one is restored from a snapshot.";

/** Says which file of the log, where, what is wrong, and what the operator can do. `file` is a name or a path. */
export function damagedSegment(file: string, offsetBytes: number, reason: string): DamageError {
  return new DamageError(`${file} is damaged at byte ${offsetBytes}: ${reason}. ${advice}`);
}

/** The log is readable but does not hold what the store needs to go on from. */
export function unusableLog(reason: string): DamageError {
  return new DamageError(`the Raft log does not fit: ${reason}. ${advice}`);
}
