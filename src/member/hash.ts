/** The hash of the keys at a revision, as etcd computes it, in slices beside everything else. */
import type { Revision } from "../base/brand.js";
import { storeError } from "../base/errors.js";
import { nextTurn } from "../base/next-turn.js";
import type { HashKvResult } from "./contract.js";
import type { MemberCore } from "./core/core.js";
import type { StoreKeeper } from "./store-keeper.js";

export interface HashDeps {
  readonly core: MemberCore;
  readonly keeper: StoreKeeper;
}

/** `revision` 0 is the current one. Errors: Compacted, FutureRev. */
export async function hashKvAt(revision: Revision, deps: HashDeps): Promise<HashKvResult> {
  while (true) {
    const { mvcc } = deps.core.state.deps;
    const at = revision === 0 ? mvcc.revision : revision;
    if (at > mvcc.revision) throw storeError("FutureRev");
    if (at < mvcc.compactedRevision) throw storeError("Compacted");
    const { compactedRevision } = mvcc;
    await deps.keeper.flushTo(deps.core.applied);
    const hash = mvcc.openHash(at);
    for await (const records of deps.keeper.store.scan({ fromMain: 0, toMain: at })) {
      if (mvcc.compactedRevision !== compactedRevision) break;
      hash.feed(records);
      await nextTurn();
    }
    // A compaction, or an installed snapshot, in between changed what counts: begin again.
    if (deps.core.state.deps.mvcc === mvcc && mvcc.compactedRevision === compactedRevision) {
      return hash.result();
    }
  }
}
