/** Calls to one member with the generated codecs, without the conveniences of a client: no retries, no failover. */

import * as pb from "../../src/gen/etcdserver.js";
import { DeleteRangeRequest, DeleteRangeResponse } from "../../src/gen/etcdserver.js";
import { connectGrpc, type GrpcChannel } from "../../src/transport/http2/client.js";

interface Codec<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

const callTimeoutMs = 20_000;

export class RawClient {
  private constructor(private readonly channel: GrpcChannel) {}

  static async connect(endpoint: string): Promise<RawClient> {
    const [host, port] = endpoint.split(":");
    return new RawClient(
      await connectGrpc({
        host: host!,
        port: Number(port),
        tls: undefined,
        receiveBytesMax: 1 << 26,
        connectTimeoutMs: 5_000,
        keepaliveIntervalMs: 60_000,
        keepaliveTimeoutMs: 60_000,
      }),
    );
  }

  async call<Request, Response>(
    path: string,
    request: Codec<Request>,
    response: Codec<Response>,
    message: Request,
    timeoutMs = callTimeoutMs,
  ): Promise<Response> {
    const bytes = request.encode(message).finish();
    return response.decode(await this.channel.unary(path, bytes, { timeoutMs, metadata: {} }));
  }

  grant(ID: bigint, ttlSeconds: number): Promise<pb.LeaseGrantResponse> {
    const request = { ID, TTL: BigInt(ttlSeconds) };
    return this.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest, pb.LeaseGrantResponse, request);
  }

  revoke(ID: bigint): Promise<pb.LeaseRevokeResponse> {
    return this.call("/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeRequest, pb.LeaseRevokeResponse, {
      ID,
    });
  }

  timeToLive(ID: bigint): Promise<pb.LeaseTimeToLiveResponse> {
    const path = "/etcdserverpb.Lease/LeaseTimeToLive";
    const request = { ID, keys: true };
    return this.call(path, pb.LeaseTimeToLiveRequest, pb.LeaseTimeToLiveResponse, request);
  }

  async leases(): Promise<readonly bigint[]> {
    const path = "/etcdserverpb.Lease/LeaseLeases";
    const { leases } = await this.call(path, pb.LeaseLeasesRequest, pb.LeaseLeasesResponse, {});
    return leases.map(({ ID }) => ID);
  }

  /** One keep-alive for each id, on one stream; the TTLs in the order of the answers. */
  keepAlive(ids: readonly bigint[]): Promise<readonly bigint[]> {
    return new Promise((resolve, reject) => {
      const answers: bigint[] = [];
      const stream = this.channel.openStream(
        "/etcdserverpb.Lease/LeaseKeepAlive",
        {},
        {
          onMessage: (bytes) => answers.push(pb.LeaseKeepAliveResponse.decode(bytes).TTL),
          onDrain: () => {},
          onEnd: (status) => (status.code === 0 ? resolve(answers) : reject(status)),
        },
      );
      for (const ID of ids) stream.write(pb.LeaseKeepAliveRequest.encode({ ID }).finish());
      stream.end();
    });
  }

  put(key: string, lease = 0n): Promise<pb.PutResponse> {
    const request = pb.PutRequest.fromPartial({ key: Buffer.from(key), value: Buffer.from("v"), lease });
    return this.call("/etcdserverpb.KV/Put", pb.PutRequest, pb.PutResponse, request);
  }

  delete(key: string): Promise<DeleteRangeResponse> {
    const request = DeleteRangeRequest.fromPartial({ key: Buffer.from(key) });
    return this.call("/etcdserverpb.KV/DeleteRange", DeleteRangeRequest, DeleteRangeResponse, request);
  }

  /** Keys that begin with `prefix`. */
  async count(prefix: string): Promise<number> {
    const range = {
      key: Buffer.from(prefix),
      rangeEnd: Buffer.from(`${prefix}\xff`, "latin1"),
      countOnly: true,
    };
    const request = pb.RangeRequest.fromPartial(range);
    return Number(
      (await this.call("/etcdserverpb.KV/Range", pb.RangeRequest, pb.RangeResponse, request)).count,
    );
  }

  status(): Promise<pb.StatusResponse> {
    return this.call("/etcdserverpb.Maintenance/Status", pb.StatusRequest, pb.StatusResponse, {});
  }

  openStream: GrpcChannel["openStream"] = (path, metadata, events) =>
    this.channel.openStream(path, metadata, events);

  close(): void {
    this.channel.close();
  }
}

/** Runs `task` for 0 … count − 1, so many at a time. */
export async function inParallel(
  count: number,
  atOnce: number,
  task: (at: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Asks until the answer is yes; how long it took in ms. */
export async function until(yes: () => Promise<boolean>, limitMs: number): Promise<number> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < limitMs) {
    if (await yes()) return performance.now() - startedMs;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not true within ${limitMs} ms`);
}
