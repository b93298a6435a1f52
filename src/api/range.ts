/** Ranges that may be long: read in slices at one revision, with other work in between. */
import { partsBytes } from "../base/bytes.js";
import { failpoints } from "../base/failpoint.js";
import { nextTurn } from "../base/next-turn.js";
import { ProtoWriter, wireBytes } from "../base/protowire.js";
import type { Member } from "../member/contract.js";
import { checkRange, hasRevisionFilters, isDefaultOrdering } from "../mvcc/checks.js";
import { decodeRangeRequest, encodeRangeBegin, RangeEncoder } from "../mvcc/codec.js";
import type { RangeRequest } from "../mvcc/requests.js";
import {
  type CallContext,
  type ResponseSink,
  RpcStatus,
  type ServerStreamMethod,
  StatusCode,
} from "../transport/rpc.js";
import { keepBytes, type Received } from "./kv.js";

type Encoded = readonly Uint8Array[];

/**
 * The whole answer, read in slices and encoded slice by slice, so that no step is long. One slice suffices for most,
 * and then nothing waits.
 */
export function rangeInSlices(
  member: Member,
  request: RangeRequest,
  call: Pick<CallContext, "cancelled">,
): Encoded | Promise<Encoded> {
  const cursor = member.openRange(request);
  const encoder = new RangeEncoder(member.header(cursor.revision));
  if (cursor.nextInto(encoder)) return encoder.finish(cursor);
  return (async () => {
    do await nextTurnOf(call);
    while (!cursor.nextInto(encoder));
    return encoder.finish(cursor);
  })();
}

/** RangeStream: the same answer in chunks, the header, count and `more` on the last. */
export function rangeStreamMethod(member: Member): ServerStreamMethod<Received<RangeRequest>, Encoded> {
  return {
    kind: "serverStream",
    path: "/etcdserverpb.KV/RangeStream",
    decode: keepBytes(decodeRangeRequest),
    encode: (parts) => parts,
    handle: async ({ message }, call, sink) => {
      checkRange(message);
      if (!isDefaultOrdering(message)) {
        throw new RpcStatus(StatusCode.Unimplemented, "RangeStream does not support custom sort orders");
      }
      if (hasRevisionFilters(message)) {
        throw new RpcStatus(StatusCode.Unimplemented, "RangeStream does not support revision filters");
      }
      if (!message.serializable) await member.linearize(call);
      await streamRange(member, message, { call, sink });
    },
  };
}

async function streamRange(
  member: Member,
  request: RangeRequest,
  { call, sink }: { readonly call: CallContext; readonly sink: ResponseSink<Encoded> },
): Promise<void> {
  const cursor = member.openRange(request);
  const encoder = new RangeEncoder(undefined);
  while (true) {
    failpoints.beforeRangeStreamChunk?.();
    if (cursor.nextInto(encoder)) break;
    if (!sink.write(wrap(encoder.takeParts()))) await sink.drained();
    await nextTurnOf(call);
  }
  const header = { ...member.header(), revision: cursor.revision };
  sink.write(wrap([...encodeRangeBegin(header), ...encoder.finish(cursor)]));
}

const rangeResponseField = 1;

/** Puts the tag and the length of the inner message before it; nothing of it is copied again. */
function wrap(response: Encoded): Encoded {
  const head = new ProtoWriter(8).varint(rangeResponseField * 8 + wireBytes).varint(partsBytes(response));
  return [head.finish(), ...response];
}

/** Lets other work come in between. Nobody waits for the rest of an answer whose call is over: Canceled. */
async function nextTurnOf(call: Pick<CallContext, "cancelled">): Promise<void> {
  await nextTurn();
  if (call.cancelled) throw new RpcStatus(StatusCode.Canceled, "context canceled");
}
