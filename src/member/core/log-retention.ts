/**
 * How much of the log stays in memory when it is cut: what `--snapshot-catchup-entries` says, and more while a
 * follower takes an image of the store. What was written meanwhile is all that it lacks then; were it gone, the
 * follower would need the next image, and under load never be done.
 */
import type { Index } from "../../base/brand.js";
import { limits } from "../../base/limits.js";
import type { MemoryLog } from "../../raft/log-store.js";
import type { MemberProgress } from "../../raft/node.js";

/** The index up to which entries may go when the log is cut at `cutAt`. */
export function retainedFrom(
  cutAt: Index,
  options: { readonly catchUpEntries: number },
  { log, followers }: { readonly log: MemoryLog; readonly followers: Iterable<MemberProgress> },
): Index {
  const usual = Math.max(0, cutAt - options.catchUpEntries);
  let wanted = usual;
  for (const { state, recentActive, next } of followers) {
    // One that is gone is not waited for, and one that keeps up needs nothing.
    if (recentActive && state !== "replicate") wanted = Math.min(wanted, next - 1);
  }
  wanted = Math.max(wanted, log.firstIndex() - 1);
  let bytes = 0;
  for (let index = usual; index > wanted; index--) {
    bytes += log.entry(index).data.length;
    if (bytes > limits.imageCatchUpBytesMax) return index;
  }
  return wanted;
}
