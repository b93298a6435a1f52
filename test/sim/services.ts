/** The services of api/ over one simulated member, as its clients call them. */

import { watchMethods } from "../../src/api/watch.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import type { Member } from "../../src/member/contract.js";
import type { Clock } from "../../src/ports/clock.js";
import type { BidiMethod } from "../../src/transport/rpc.js";
import type { Dice } from "./dice.js";

/** Answers of watches are cut into fragments of so many bytes, where a watch takes them. */
export const fragmentBytes = 600;
const progressNotifyMs = 400;

export interface Services {
  // biome-ignore lint/suspicious/noExplicitAny: the messages are bytes here.
  readonly watch: BidiMethod<any, any>;
}

export function servicesOf(member: Member, deps: { readonly clock: Clock; readonly dice: Dice }): Services {
  const registry = new MetricRegistry();
  const random = (): number => deps.dice.random.fraction();
  const [watch] = watchMethods(
    member,
    { progressNotifyMs, fragmentBytes },
    { clock: deps.clock, registry, random },
  );
  return { watch: watch as Services["watch"] };
}
