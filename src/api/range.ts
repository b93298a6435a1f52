/** Ranges that may be long: read in slices at one revision, with other work in between. */
import { concatBytes } from "../base/bytes.js";
import { limits } from "../base/limits.js";
import { ProtoWriter } from "../base/protowire.js";
import type { Member } from "../member/contract.js";
import { checkRange, hasRevisionFilters, isDefaultOrdering } from "../mvcc/checks.js";
import { decodeRangeRequest, encodeRangeResponse } from "../mvcc/codec.js";
import type { RangeRequest } from "../mvcc/requests.js";
import type { RangeResult } from "../mvcc/results.js";
import { type ResponseSink, RpcStatus, type ServerStreamMethod, StatusCode } from "../transport/rpc.js";
import { keepBytes, type Received } from "./kv.js";

type Encoded = readonly Uint8Array[];

/** The whole answer, gathered in slices. One slice suffices for most, and then nothing waits. */
export function rangeInSlices<Answer>(
  member: Member,
  request: RangeRequest,
  finish: (result: RangeResult) => Answer,
): Answer | Promise<Answer> {
  const cursor = member.openRange(request);
  const first = cursor.next();
  const whole = (kvs: readonly Uint8Array[]): Answer =>
    finish({ kvs, more: cursor.more, count: cursor.count, revision: cursor.revision });
  if (first.done) return whole(first.kvs);
  return (async () => {
    const kvs: Uint8Array[] = [...first.kvs];
    for (let done = false; !done; ) {
      await nextTurn();
      const slice = cursor.next();
      for (const kv of slice.kvs) kvs.push(kv);
      done = slice.done;
    }
    return whole(kvs);
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
      await streamRange(member, message, sink);
    },
  };
}

async function streamRange(
  member: Member,
  request: RangeRequest,
  sink: ResponseSink<Encoded>,
): Promise<void> {
  if (request.countOnly) {
    const result = member.range(request);
    sink.write(lastChunk(member, { ...result, kvs: [], more: false }));
    return;
  }
  const cursor = member.openRange(request);
  while (true) {
    const { kvs, done } = cursor.next();
    if (done) {
      sink.write(
        lastChunk(member, { kvs, more: cursor.more, count: cursor.count, revision: cursor.revision }),
      );
      return;
    }
    if (!sink.write(chunk(kvs))) await sink.drained();
    await nextTurn();
  }
}

const rangeResponseField = 1;
const kvsField = 2;

/** A RangeStreamResponse with key-value pairs alone. */
function chunk(kvs: readonly Uint8Array[]): Encoded {
  const body = new ProtoWriter(limits.sliceBytesMax / 8);
  for (const kv of kvs) body.bytesFieldAlways(kvsField, kv);
  return wrap([body.finish()]);
}

function lastChunk(member: Member, result: RangeResult): Encoded {
  return wrap(encodeRangeResponse({ ...member.header(), revision: result.revision }, result));
}

function wrap(response: Encoded): Encoded {
  const bytes = response.length === 1 ? response[0]! : concatBytes(response);
  return [new ProtoWriter(bytes.length + 8).bytesFieldAlways(rangeResponseField, bytes).finish()];
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
