/** Counts the ways that watches go inside the hub of one process. */
import type { Watch } from "../../src/mvcc/watch/watch.js";
import type { WatchHub } from "../../src/mvcc/watch/watch-hub.js";
import type { Coverage } from "./coverage.js";

/** What this looks at inside the hub. */
interface HubInside {
  readonly live: { readonly size: number };
  readonly behind: { slice(source: SourceInside, from: number): number };
  move(watch: Watch, to: Watch["place"]): void;
  adopt(store: unknown): void;
}

interface SourceInside {
  readonly store: { readonly revision: number };
}

export function countWatchPlaces(hub: WatchHub, coverage: Coverage): void {
  const inside = hub as unknown as HubInside;
  const { behind } = inside;
  const move = inside.move.bind(inside);
  inside.move = (watch, to) => {
    if (watch.place === "live" && to === "catchUp") coverage.hit("watch/moved out of live");
    if (watch.place === "live" && to === "parked") coverage.hit("watch/parked out of live");
    if (watch.place === "catchUp" && to === "parked") coverage.hit("watch/parked while it caught up");
    if (watch.place === "catchUp" && to === "live") coverage.hit("watch/caught up");
    move(watch, to);
  };
  const adopt = inside.adopt.bind(inside);
  inside.adopt = (store) => {
    if (inside.live.size > 0) coverage.hit("watch/store replaced under a live one");
    adopt(store);
  };
  const slice = behind.slice.bind(behind);
  behind.slice = (source, from) => {
    const to = slice(source, from);
    if (to < source.store.revision) coverage.hit("watch/served in slices");
    return to;
  };
}
