/**
 * Mutations of the system under test: bugs that it is known not to have, planted to prove that the simulator would
 * find them. Each patches the instances of one process; nothing in src knows of them.
 */
import type { MemberCore } from "../../src/member/core/core.js";
import type { Effects } from "../../src/member/core/events.js";
import { encodeNumber, revisionKey } from "../../src/member/core/replicated-state.js";
import type { RevisionId } from "../../src/mvcc/contract.js";
import type { Watch } from "../../src/mvcc/watch/watch.js";
import type { WatchHub } from "../../src/mvcc/watch/watch-hub.js";
import type { RecoveredLog } from "../../src/ports/raft-log.js";
import type { RevisionStore } from "../../src/ports/revision-store.js";
import { leaseSabotages, plantedLeaseBugs } from "./planted-lease-bugs.js";
import type { SimulatedLog } from "./simulated-log.js";

export const plantedBugs = [
  "skip-fsync",
  "reuse-read-context",
  "acknowledge-append-early",
  "ask-for-votes-early",
  "forget-vote",
  "commit-older-term",
  "revision-goes-down",
  "apply-twice",
  "snapshot-ahead-of-data",
  "apply-before-committed-elsewhere",
  "serve-unconfirmed-read",
  "decide-alone-among-others",
  "progress-overtakes-events",
  "event-lost-at-seam",
  "watch-not-told-of-snapshot",
  "previous-pair-of-wrong-revision",
  "compacted-watch-goes-on",
  ...plantedLeaseBugs,
] as const;

export type PlantedBug = (typeof plantedBugs)[number];

/** What a planted bug changes in a process; the sound one changes nothing. */
export interface Sabotage {
  openedStore(store: RevisionStore): RevisionStore;
  recovered(recovered: RecoveredLog): RecoveredLog;
  core(core: MemberCore): void;
  log(log: SimulatedLog): SimulatedLog;
  hub(hub: WatchHub): void;
}

const sound: Sabotage = {
  openedStore: (store) => store,
  recovered: (recovered) => recovered,
  core: () => {},
  log: (log) => log,
  hub: () => {},
};

export function sabotageOf(bug: PlantedBug | undefined): Sabotage {
  switch (bug) {
    case undefined:
      return sound;
    default:
      return { ...sound, ...sabotages[bug] };
  }
}

/** Reaches what is private: a planted bug is no friend. */
function inside<Shape>(object: unknown): Shape {
  return object as Shape;
}

const sabotages: Readonly<Record<PlantedBug, Partial<Sabotage>>> = {
  /** Every write counts as durable as soon as it is made (--unsafe-no-fsync). */
  "skip-fsync": {
    log: (log) => {
      const append = log.append.bind(log);
      log.append = (appends) => append(appends, { mustSync: false });
      return log;
    },
  },

  /** All linearizable reads of one life ask with the same context (etcd-io/etcd #20418). */
  "reuse-read-context": {
    core: (core) => {
      const { reads } = inside<{ reads: { freshContext(): Uint8Array } }>(core);
      const first = reads.freshContext();
      reads.freshContext = () => first;
    },
  },

  /** A follower's acknowledgement leaves before its entries are durable. */
  "acknowledge-append-early": {
    core: (core) =>
      afterTurn(core, (effects) => {
        effects.appends.forEach((append, at) => {
          const early = append.responses.filter(({ type, to, from }) => type === "MsgAppResp" && to !== from);
          effects.messages.push(...early);
          const responses = append.responses.filter((response) => !early.includes(response));
          effects.appends[at] = { ...append, responses };
        });
      }),
  },

  /** A candidate asks for votes while its own term and vote are being written (docs/bugs-found.md, 4). */
  "ask-for-votes-early": {
    core: (core) =>
      afterTurn(core, (effects) => {
        effects.appends.forEach((append, at) => {
          effects.messages.push(...append.responses.filter(({ type }) => type === "MsgVote"));
          effects.appends[at] = {
            ...append,
            responses: append.responses.filter(({ type }) => type !== "MsgVote"),
          };
        });
      }),
  },

  "forget-vote": {
    recovered: (recovered) => ({ ...recovered, hardState: { ...recovered.hardState, vote: 0n } }),
  },

  /** What a quorum holds is committed, whatever its term (Raft thesis, figure 3.7). */
  "commit-older-term": {
    core: (core) => {
      const { log } = core.raft.state;
      const tryCommit = log.tryCommit.bind(log);
      log.tryCommit = (id) => tryCommit({ index: id.index, term: log.term(id.index) ?? id.term });
    },
  },

  /**
   * A compaction drops the tombstone at its own revision, and a start takes the newest stored revision for the
   * store's: where that was the tombstone, the revision goes down (etcd-io/etcd #17780).
   */
  "revision-goes-down": {
    core: (core) => {
      const { mvcc } = core.state.deps;
      const isAlive = mvcc.isAlive.bind(mvcc);
      mvcc.isAlive = (record, upTo) => isAlive(record, upTo) && !(record.tombstone && record.main <= upTo);
    },
    openedStore: (store) => {
      const getState = store.getState.bind(store);
      const newest = inside<{ newest?: { main: number } }>(store).newest?.main ?? 1;
      let isStart = true;
      store.getState = (key) => {
        if (key !== revisionKey || !isStart) return getState(key);
        isStart = false;
        return encodeNumber(newest);
      };
      return store;
    },
  },

  /** The applied index is stored after the data that it describes, so that a crash may find the one without the other. */
  "apply-twice": {
    openedStore: (store) => {
      const { index, term } = store.durableApplied;
      if (index < 5) return store;
      Object.defineProperty(store, "durableApplied", { get: firstLower(store, { index: index - 1, term }) });
      return store;
    },
  },

  /** A snapshot says that it is newer than the data in it. */
  "snapshot-ahead-of-data": {
    openedStore: (store) => {
      const openImage = store.openImage.bind(store);
      store.openImage = async () => {
        const image = await openImage();
        const lying = inside<{ mark: { applied: { index: number; term: number } } }>(image);
        const { index, term } = lying.mark.applied;
        lying.mark = { ...lying.mark, applied: { index: index + 1, term } };
        return image;
      };
      return store;
    },
  },

  /** A follower applies what it has before it knows that it is committed. */
  "apply-before-committed-elsewhere": {
    core: (core) => {
      const { log } = core.raft.state;
      const commitTo = log.commitTo.bind(log);
      log.commitTo = (index) =>
        commitTo(Math.max(index, core.raft.state.role === "leader" ? index : log.lastIndex()));
    },
  },

  /** A leader answers reads without asking whether it still is one. */
  "serve-unconfirmed-read": {
    core: (core) => {
      const { raft } = core;
      const readIndex = raft.readIndex.bind(raft);
      raft.readIndex = (context) => {
        const { state } = raft;
        if (state.role !== "leader") readIndex(context);
        else state.outbox.readStates.push({ index: state.log.committed, context });
      };
    },
  },

  /** What only a lone voter may, any leader does. */
  "decide-alone-among-others": {
    core: ({ raft }) =>
      Object.defineProperty(raft.state.tracker, "isSingleton", { get: () => raft.state.role === "leader" }),
  },

  /** A progress notification goes out while some watches of the stream are served from history. */
  "progress-overtakes-events": {
    hub: (hub) => {
      const open = hub.open.bind(hub);
      hub.open = (outlet) => {
        const stream = open(outlet);
        Object.defineProperty(stream, "lagging", { get: () => 0, set: () => {} });
        inside<{ isUpToDate(): boolean }>(stream).isUpToDate = () => true;
        return stream;
      };
    },
  },

  /** A watch counts as live one revision too early: what was committed during its last slice is lost. */
  "event-lost-at-seam": {
    hub: (hub) => {
      const { behind } = inside<{ behind: CatchUpInside }>(hub);
      const step = behind.step.bind(behind);
      behind.step = (source) => {
        step(source);
        for (const watch of behind.watches) {
          if (watch.next === source.store.revision) behind.host.promote(watch);
        }
      };
    },
  },

  /** A snapshot takes the place of the store, and watches that were live stay so, without what it brought. */
  "watch-not-told-of-snapshot": {
    hub: (hub) => {
      const hubInside = inside<{ adopt(store: unknown): void; store: unknown; committedChanges: unknown[] }>(
        hub,
      );
      hubInside.adopt = (store) => {
        hubInside.store = store;
        hubInside.committedChanges = [];
      };
    },
  },

  /** prev_kv is the pair before the one before. */
  "previous-pair-of-wrong-revision": {
    hub: (hub) => {
      const committed = hub.committed.bind(hub);
      const before = new Map<string, RevisionId | undefined>();
      hub.committed = (revision, changes) => {
        const wrong = changes.map((change) => ({
          ...change,
          previous: before.get(change.key) ?? change.previous,
        }));
        for (const { key, previous } of changes) before.set(key, previous);
        committed(revision, wrong);
      };
    },
  },

  /** A watch that waits for what is compacted is served what is left, and not told (etcd-io/etcd #19179). */
  "compacted-watch-goes-on": {
    hub: (hub) => {
      const { behind } = inside<{ behind: CatchUpInside }>(hub);
      behind.endCompacted = (compactRevision) => {
        for (const watch of behind.watches) watch.next = Math.max(watch.next, compactRevision);
      };
    },
  },

  ...leaseSabotages,
};

/** What planted bugs change inside the part of the hub that serves history. */
interface CatchUpInside {
  readonly watches: ReadonlySet<Watch>;
  readonly host: { promote(watch: Watch): void };
  step(source: { readonly store: { readonly revision: number } }): void;
  endCompacted(compactRevision: number): void;
}

function afterTurn(core: MemberCore, change: (effects: Effects) => void): void {
  const turn = core.turn.bind(core);
  core.turn = () => {
    const effects = turn();
    change(effects);
    return effects;
  };
}

/** A getter that says `lower` until the store has moved on. */
function firstLower(store: RevisionStore, lower: { index: number; term: number }): () => typeof lower {
  const { content } = inside<{ content: { mark: { applied: typeof lower } } }>(store);
  const started = content.mark.applied.index;
  return () => (content.mark.applied.index > started ? content.mark.applied : lower);
}
