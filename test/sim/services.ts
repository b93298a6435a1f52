/** The services of api/ over one simulated member, as its clients call them: requests and answers are bytes. */
import { leaseMethods } from "../../src/api/lease.js";
import { watchMethods } from "../../src/api/watch.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import type { Member } from "../../src/member/contract.js";
import type { Clock } from "../../src/ports/clock.js";
import type { BidiMethod, CallContext, RpcMethod, UnaryMethod } from "../../src/transport/rpc.js";
import type { Dice } from "./dice.js";

/** Answers of watches are cut into fragments of so many bytes, where a watch takes them. */
export const fragmentBytes = 600;
const progressNotifyMs = 400;

// biome-ignore lint/suspicious/noExplicitAny: carries the messages of any method.
export type AnyStream = BidiMethod<any, any>;
// biome-ignore lint/suspicious/noExplicitAny: carries the messages of any method.
type AnyUnary = UnaryMethod<any, any>;

export interface Services {
  readonly watch: AnyStream;
  readonly keepAlive: AnyStream;
  grant(request: Uint8Array): Promise<Uint8Array>;
  revoke(request: Uint8Array): Promise<Uint8Array>;
  times(request: Uint8Array): Promise<Uint8Array>;
  list(request: Uint8Array): Promise<Uint8Array>;
}

export function servicesOf(member: Member, deps: { readonly clock: Clock; readonly dice: Dice }): Services {
  const registry = new MetricRegistry();
  const random = (): number => deps.dice.random.fraction();
  const watchOptions = { progressNotifyMs, fragmentBytes };
  const methods = new Map<string, RpcMethod>();
  for (const method of [
    ...watchMethods(member, watchOptions, { clock: deps.clock, registry, random }),
    ...leaseMethods(member, { ttlSecondsMin: 1 }),
  ]) {
    methods.set(method.path.slice(method.path.lastIndexOf("/") + 1), method);
  }
  const unary = (name: string) => (request: Uint8Array) => answer(methods.get(name) as AnyUnary, request);
  return {
    watch: methods.get("Watch") as AnyStream,
    keepAlive: methods.get("LeaseKeepAlive") as AnyStream,
    grant: unary("LeaseGrant"),
    revoke: unary("LeaseRevoke"),
    times: unary("LeaseTimeToLive"),
    list: unary("LeaseLeases"),
  };
}

async function answer(method: AnyUnary, request: Uint8Array): Promise<Uint8Array> {
  return method.encode(await method.handle(method.decode(request), lonelyCall)) as Uint8Array;
}

/** A call whose client waits for ever. */
const lonelyCall: CallContext = {
  metadata: () => undefined,
  peer: "simulated",
  certificateCommonName: undefined,
  timeoutMs: undefined,
  onCancel: () => {},
  cancelled: false,
};
