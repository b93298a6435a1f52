/** Links between members over real sockets on loopback. */
import { afterEach, describe, expect, test } from "vitest";
import type { MemberId } from "../../../src/base/brand.js";
import { type Logger, silentLogger } from "../../../src/base/logger.js";
import type { StoreImage } from "../../../src/ports/revision-store.js";
import type { ReceivedImage } from "../../../src/ports/snapshot-store.js";
import type { Message, SnapshotMessage } from "../../../src/raft/message.js";
import { emptyConfState } from "../../../src/raft/types.js";
import { nodeClock } from "../../../src/server/node-clock.js";
import { connectGrpc } from "../../../src/transport/http2/client.js";
import { createGrpcServer } from "../../../src/transport/http2/server.js";
import { PeerLinks } from "../../../src/transport/peer/peer-links.js";
import { peerMethods } from "../../../src/transport/peer/peer-service.js";
import { RpcStatus, StatusCode } from "../../../src/transport/rpc.js";
import type { TransportServer } from "../../../src/transport/server-contract.js";

const clusterId = 0xc1n;
const heartbeat = (from: bigint, to: bigint, commit: number): Message => ({
  type: "MsgHeartbeat",
  from,
  to,
  term: 2,
  commit,
  context: new Uint8Array(0),
});

/** A value that somebody waits for. */
class Mailbox<Value> {
  private readonly values: Value[] = [];
  private waiting: ((value: Value) => void)[] = [];

  put(value: Value): void {
    const taker = this.waiting.shift();
    if (taker === undefined) this.values.push(value);
    else taker(value);
  }

  take(): Promise<Value> {
    const value = this.values.shift();
    return value === undefined
      ? new Promise((resolve) => this.waiting.push(resolve))
      : Promise.resolve(value);
  }
}

class Receiver {
  readonly messages = new Mailbox<Message>();
  readonly snapshots = new Mailbox<{ message: SnapshotMessage; bytes: Buffer }>();
  readonly refusals = new Mailbox<string>();
  readonly members = new Set<MemberId>([1n, 2n]);
  readonly removed = new Set<MemberId>();
  known = new Set<MemberId>();
  private server: TransportServer | undefined;
  private received = Buffer.alloc(0);

  async listen(port: number): Promise<number> {
    const logger: Logger = {
      ...silentLogger,
      warn: (_caller, message, fields) => {
        if (message === "rejected connection on peer endpoint") this.refusals.put(String(fields?.error));
      },
    };
    const methods = peerMethods({
      clusterId,
      memberId: 2n,
      directory: {
        isMember: (id) => this.members.has(id),
        isRemoved: (id) => this.removed.has(id),
        isKnownElsewhere: async (id) => this.known.has(id),
      },
      events: {
        message: (message) => this.messages.put(message),
        snapshot: (message) => this.snapshots.put({ message, bytes: this.received }),
      },
      images: { receive: (chunks) => this.receiveImage(chunks) },
      leases: {
        renewHere: async () => 0,
        timesHere: async () => "unknown",
      },
      logger,
    });
    this.server = createGrpcServer(
      {
        methods,
        mapError: (error) =>
          error instanceof RpcStatus ? error : new RpcStatus(StatusCode.Internal, String(error)),
        http: (_request, response) => response.end(),
        endpoint: "peer",
        tls: undefined,
        receiveBytesMax: 1 << 26,
        concurrentStreamsMax: 1_000,
        keepaliveMinTimeMs: 5_000,
        keepaliveIntervalMs: 7_200_000,
        keepaliveTimeoutMs: 20_000,
      },
      { log: silentLogger },
    );
    return (await this.server.listen({ host: "127.0.0.1", port })).port;
  }

  async close(): Promise<void> {
    await this.server?.close({ graceMs: 0 });
  }

  private async receiveImage(chunks: AsyncIterable<Uint8Array>): Promise<ReceivedImage> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    this.received = Buffer.concat(parts);
    return {
      applied: { index: 9, term: 2 },
      install: () => Promise.reject(new Error("not asked for here")),
      discard: async () => {},
    };
  }
}

interface Sender {
  readonly links: PeerLinks;
  readonly unreachable: Mailbox<MemberId>;
  readonly snapshotFates: Mailbox<boolean>;
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function sender(memberId: MemberId, cluster = clusterId): Sender {
  const unreachable = new Mailbox<MemberId>();
  const snapshotFates = new Mailbox<boolean>();
  const links = new PeerLinks(
    { clusterId: cluster, memberId },
    {
      connect: (url) =>
        connectGrpc({
          host: new URL(url).hostname,
          port: Number(new URL(url).port),
          tls: undefined,
          receiveBytesMax: 1 << 20,
          connectTimeoutMs: 1_000,
          keepaliveIntervalMs: 10_000,
          keepaliveTimeoutMs: 10_000,
        }),
      clock: nodeClock,
      logger: silentLogger,
      random: () => 0,
      events: {
        unreachable: (peer) => unreachable.put(peer),
        snapshotSent: (_peer, arrived) => snapshotFates.put(arrived),
      },
    },
  );
  closing.push(() => links.close());
  return { links, unreachable, snapshotFates };
}

async function receiver(port = 0): Promise<{ receiver: Receiver; port: number }> {
  const made = new Receiver();
  const chosen = await made.listen(port);
  closing.push(() => made.close());
  return { receiver: made, port: chosen };
}

/** Sends until the link is up: what is sent before is dropped, as raft expects. */
async function sendUntilReceived(from: Sender, to: Receiver, message: Message): Promise<Message> {
  const received = to.messages.take();
  const timer = setInterval(() => from.links.send([message]), 10);
  try {
    return await received;
  } finally {
    clearInterval(timer);
  }
}

describe("messages", () => {
  test("arrive whole and in order, several of one turn in one frame", async () => {
    const { receiver: to, port } = await receiver();
    const from = sender(1n);
    from.links.setPeers([{ id: 2n, urls: [`http://127.0.0.1:${port}`] }]);
    await sendUntilReceived(from, to, heartbeat(1n, 2n, 0));
    expect(from.links.isActive(2n)).toBe(true);
    from.links.send([1, 2, 3].map((commit) => heartbeat(1n, 2n, commit)));
    const commits: number[] = [];
    while (commits.at(-1) !== 3) {
      const message = await to.messages.take();
      if (message.type === "MsgHeartbeat" && message.commit > 0) commits.push(message.commit);
    }
    expect(commits).toEqual([1, 2, 3]);
  });

  test("a peer that is away is reported and costs nothing, and is found again when it comes back", async () => {
    const { receiver: first, port } = await receiver();
    const from = sender(1n);
    from.links.setPeers([{ id: 2n, urls: [`http://127.0.0.1:${port}`] }]);
    await sendUntilReceived(from, first, heartbeat(1n, 2n, 1));
    await first.close();
    expect(await from.unreachable.take()).toBe(2n);
    const startedMs = performance.now();
    for (let count = 0; count < 10_000; count++) from.links.send([heartbeat(1n, 2n, count)]);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    const { receiver: second } = await receiver(port);
    const message = await sendUntilReceived(from, second, heartbeat(1n, 2n, 77));
    expect(message).toMatchObject({ type: "MsgHeartbeat", commit: 77 });
  });
});

describe("who is refused", () => {
  test.each([
    ["a member of another cluster", 1n, 0xbadn, "cluster ID mismatch"],
    ["a member that nobody knows", 66n, clusterId, "unknown member"],
    ["a member that was removed", 3n, clusterId, "the member has been permanently removed from the cluster"],
  ] as const)("%s", async (_what, id, cluster, reason) => {
    const { receiver: to, port } = await receiver();
    to.removed.add(3n);
    const from = sender(id, cluster);
    from.links.setPeers([{ id: 2n, urls: [`http://127.0.0.1:${port}`] }]);
    expect(await to.refusals.take()).toBe(reason);
    expect(from.links.isActive(2n)).toBe(false);
  });

  test("but not one that this member only has not heard of yet", async () => {
    const { receiver: to, port } = await receiver();
    to.known = new Set([4n]);
    const from = sender(4n);
    from.links.setPeers([{ id: 2n, urls: [`http://127.0.0.1:${port}`] }]);
    expect(await sendUntilReceived(from, to, heartbeat(4n, 2n, 5))).toMatchObject({ from: 4n, commit: 5 });
  });
});

describe("snapshots", () => {
  const message: SnapshotMessage = {
    type: "MsgSnap",
    from: 1n,
    to: 2n,
    term: 2,
    snapshot: { data: new Uint8Array(0), metadata: { index: 9, term: 2, confState: emptyConfState } },
  };

  function image(chunks: AsyncIterable<Uint8Array>, closed: () => void): StoreImage {
    return {
      applied: { index: 9, term: 2 },
      sizeBytes: 0,
      chunks: () => chunks,
      close: async () => closed(),
    };
  }

  async function linked(): Promise<{ from: Sender; to: Receiver }> {
    const { receiver: to, port } = await receiver();
    const from = sender(1n);
    from.links.setPeers([{ id: 2n, urls: [`http://127.0.0.1:${port}`] }]);
    await sendUntilReceived(from, to, heartbeat(1n, 2n, 0));
    return { from, to };
  }

  test("a store image of many chunks arrives byte for byte beside its message", async () => {
    const { from, to } = await linked();
    const chunks = Array.from({ length: 40 }, (_, at) => Buffer.alloc(100_000, at));
    let closed = false;
    from.links.sendSnapshot(
      message,
      image(
        (async function* () {
          yield* chunks;
        })(),
        () => {
          closed = true;
        },
      ),
    );
    const received = await to.snapshots.take();
    expect(received.message).toEqual(message);
    expect(received.bytes.equals(Buffer.concat(chunks))).toBe(true);
    expect(await from.snapshotFates.take()).toBe(true);
    await expect.poll(() => closed).toBe(true);
  });

  test("an image that breaks off is reported as lost, and the receiver takes no half of it", async () => {
    const { from, to } = await linked();
    from.links.sendSnapshot(
      message,
      image(
        (async function* () {
          yield Buffer.alloc(100);
          throw new Error("the disk failed");
        })(),
        () => {},
      ),
    );
    expect(await from.snapshotFates.take()).toBe(false);
    from.links.send([heartbeat(1n, 2n, 5)]);
    while (true) {
      const next = await to.messages.take();
      if (next.type === "MsgHeartbeat" && next.commit === 5) break;
    }
  });
});
