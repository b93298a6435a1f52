/** Ranges that may be long: read in slices at one revision, with other work in between. */
import { ProtoWriter, wireBytes } from "../base/protowire.js";
import type { Member } from "../member/contract.js";
import { checkRange, hasRevisionFilters, isDefaultOrdering } from "../mvcc/checks.js";
import {
  decodeRangeRequest,
  encodePairs,
  encodeRangeBegin,
  encodeRangeEnd,
  encodeRangeResponse,
} from "../mvcc/codec.js";
import type { RangeRequest } from "../mvcc/requests.js";
import type { RangeResult } from "../mvcc/results.js";
import { type ResponseSink, RpcStatus, type ServerStreamMethod, StatusCode } from "../transport/rpc.js";
import { keepBytes, type Received } from "./kv.js";

type Encoded = readonly Uint8Array[];

/**
 * The whole answer, read in slices and encoded slice by slice, so that no step is long. One slice suffices for most,
 * and then nothing waits.
 */
export function rangeInSlices(member: Member, request: RangeRequest): Encoded | Promise<Encoded> {
  const cursor = member.openRange(request);
  const { more, count, revision } = cursor;
  const header = member.header(revision);
  const first = cursor.next();
  if (first.done) return encodeRangeResponse(header, { kvs: first.kvs, more, count, revision });
  const parts = [...encodeRangeBegin(header), ...encodePairs(first.kvs)];
  return (async () => {
    for (let done = false; !done; ) {
      await nextTurn();
      const slice = cursor.next();
      parts.push(...encodePairs(slice.kvs));
      done = slice.done;
    }
    parts.push(encodeRangeEnd({ more, count }));
    return parts;
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

/** A RangeStreamResponse with key-value pairs alone. */
function chunk(kvs: readonly Uint8Array[]): Encoded {
  return wrap(encodePairs(kvs));
}

function lastChunk(member: Member, result: RangeResult): Encoded {
  return wrap(encodeRangeResponse({ ...member.header(), revision: result.revision }, result));
}

/** Puts the tag and the length of the inner message before it; nothing of it is copied again. */
function wrap(response: Encoded): Encoded {
  const bytes = response.reduce((sum, part) => sum + part.length, 0);
  const head = new ProtoWriter(8).varint(rangeResponseField * 8 + wireBytes).varint(bytes);
  return [head.finish(), ...response];
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
