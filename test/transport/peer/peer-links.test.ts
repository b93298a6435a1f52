/** Links between members over real sockets on loopback. */
import { afterEach, describe, expect, test } from "vitest";
import type { MemberId } from "../../../src/base/brand.js";
import { failpoints } from "../../../src/base/failpoint.js";
import { limits } from "../../../src/base/limits.js";
import { type Logger, silentLogger } from "../../../src/base/logger.js";
import type { Peer } from "../../../src/ports/peer-transport.js";
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

  get size(): number {
    return this.values.length;
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
  /** The links by which it answers. */
  meet: (peer: Peer) => () => void = () => () => {};
  private server: TransportServer | undefined;
  private received = Buffer.alloc(0);

  constructor(private readonly memberId: MemberId) {}

  async listen(port: number): Promise<number> {
    const logger: Logger = {
      ...silentLogger,
      warn: (_caller, message, fields) => {
        if (message === "rejected connection on peer endpoint") this.refusals.put(String(fields?.error));
      },
    };
    const { members } = this;
    const methods = peerMethods({
      clusterId,
      memberId: this.memberId,
      meet: (peer) => this.meet(peer),
      directory: {
        get isEmpty() {
          return members.size === 0;
        },
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
      { log: silentLogger, calls: undefined },
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
  failpoints.raftDropHeartbeat = undefined;
  failpoints.beforeServeHTTPLeaseRenew = undefined;
  for (const close of closing.splice(0).reverse()) await close();
});

interface SenderOptions {
  readonly cluster?: bigint;
  readonly urls?: readonly string[];
  readonly isRemoved?: (id: MemberId) => boolean;
}

function sender(memberId: MemberId, options: SenderOptions = {}): Sender {
  const { cluster = clusterId, urls = [], isRemoved = () => false } = options;
  const unreachable = new Mailbox<MemberId>();
  const snapshotFates = new Mailbox<boolean>();
  const links = new PeerLinks(
    { clusterId: cluster, memberId, urls },
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
      isRemoved,
      events: {
        unreachable: (peer) => unreachable.put(peer),
        snapshotSent: (_peer, arrived) => snapshotFates.put(arrived),
      },
    },
  );
  closing.push(() => links.close());
  return { links, unreachable, snapshotFates };
}

async function receiver(port = 0, memberId = 2n): Promise<{ receiver: Receiver; port: number }> {
  const made = new Receiver(memberId);
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

describe("at a failpoint", () => {
  test("raftDropHeartbeat what comes on the stream is lost while it returns something", async () => {
    const { receiver: to, port } = await receiver();
    const from = sender(1n);
    from.links.setPeers([{ id: 2n, urls: [`http://127.0.0.1:${port}`] }]);
    await sendUntilReceived(from, to, heartbeat(1n, 2n, 0));
    let dropped = 0;
    failpoints.raftDropHeartbeat = () => (++dropped <= 2 ? "" : undefined);
    from.links.send([1, 2, 3].map((commit) => heartbeat(1n, 2n, commit)));
    let message = await to.messages.take();
    while (message.type === "MsgHeartbeat" && message.commit === 0) message = await to.messages.take();
    expect(message).toMatchObject({ type: "MsgHeartbeat", commit: 3 });
  });

  test("beforeServeHTTPLeaseRenew a leader that is asked for others has not looked at the leases yet", async () => {
    const { receiver: to, port } = await receiver();
    const from = sender(1n);
    from.links.setPeers([{ id: 2n, urls: [`http://127.0.0.1:${port}`] }]);
    await sendUntilReceived(from, to, heartbeat(1n, 2n, 0));
    let passed = 0;
    failpoints.beforeServeHTTPLeaseRenew = () => {
      passed++;
      throw new Error("crash");
    };
    await expect(from.links.renewLeases(2n, [7n], 1_000)).rejects.toThrow();
    expect(passed).toBe(1);
    failpoints.beforeServeHTTPLeaseRenew = undefined;
    expect(await from.links.renewLeases(2n, [7n], 1_000)).toEqual([0]);
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
    const from = sender(id, { cluster });
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

describe("a member that this one's log does not tell of yet", () => {
  /** Member 4 has joined and speaks to member 2, which lags; both can be spoken to and have links. */
  async function joined(names: (port: number) => string = (port) => `http://127.0.0.1:${port}`) {
    const { receiver: lagging, port } = await receiver();
    const { receiver: newcomer, port: newcomerPort } = await receiver(0, 4n);
    newcomer.members.add(2n);
    lagging.known = new Set([4n]);
    const answering = sender(2n, { isRemoved: (id) => lagging.removed.has(id) });
    lagging.meet = (peer) => answering.links.meet(peer);
    const urls = [names(newcomerPort)];
    const speaking = sender(4n, { urls });
    speaking.links.setPeers([{ id: 2n, urls: [`http://127.0.0.1:${port}`] }]);
    await sendUntilReceived(speaking, lagging, heartbeat(4n, 2n, 1));
    return { lagging, newcomer, newcomerPort, answering, speaking, urls };
  }

  test("is answered at the URLs that it names, and keeps its link when the log tells of it", async () => {
    const { newcomer, answering, urls } = await joined();
    expect(await sendUntilReceived(answering, newcomer, heartbeat(2n, 4n, 7))).toMatchObject({ commit: 7 });
    expect([answering.links.isActive(4n), answering.links.activeCount]).toEqual([true, 0]);
    answering.links.setPeers([{ id: 4n, urls }]);
    expect([answering.links.isActive(4n), answering.links.activeCount]).toEqual([true, 1]);
  });

  test("is moved to the URLs that the log tells, where it named others", async () => {
    const { answering, newcomer, newcomerPort } = await joined(() => "http://127.0.0.1:1");
    answering.links.setPeers([{ id: 4n, urls: [`http://127.0.0.1:${newcomerPort}`] }]);
    expect(await sendUntilReceived(answering, newcomer, heartbeat(2n, 4n, 7))).toMatchObject({ commit: 7 });
  });

  test("has a link no longer than it speaks", async () => {
    const { newcomer, answering, speaking } = await joined();
    await sendUntilReceived(answering, newcomer, heartbeat(2n, 4n, 7));
    await speaking.links.close();
    await expect.poll(() => answering.links.isActive(4n)).toBe(false);
  });

  test("loses its link when the log tells that it was removed, and gets no other", async () => {
    const { newcomer, lagging, answering, speaking } = await joined();
    await sendUntilReceived(answering, newcomer, heartbeat(2n, 4n, 7));
    lagging.removed.add(4n);
    answering.links.setPeers([{ id: 1n, urls: ["http://127.0.0.1:1"] }]);
    expect(answering.links.isActive(4n)).toBe(false);
    speaking.links.send([heartbeat(4n, 2n, 8)]);
    expect(await lagging.refusals.take()).toBe("the member has been permanently removed from the cluster");
    expect(answering.links.isActive(4n)).toBe(false);
  });

  test("vouches for nobody", async () => {
    const { newcomer, answering } = await joined();
    await sendUntilReceived(answering, newcomer, heartbeat(2n, 4n, 7));
    newcomer.members.add(5n);
    expect(await answering.links.isKnown(5n)).toBe(false);
  });

  test.each(["", "ftp://127.0.0.1:1", "http://user@127.0.0.1:1", `http://${"long".repeat(600)}:1`])(
    "is heard but not answered where it names no URL (%#)",
    async (url) => {
      const { answering } = await joined(() => url);
      expect(answering.links.isActive(4n)).toBe(false);
      answering.links.send([heartbeat(2n, 4n, 7)]);
      expect(answering.unreachable.size).toBe(0);
    },
  );

  test("is taken at its word about the cluster by one that knows nobody yet", async () => {
    const { receiver: empty, port } = await receiver();
    empty.members.clear();
    const from = sender(4n);
    from.links.setPeers([{ id: 2n, urls: [`http://127.0.0.1:${port}`] }]);
    expect(await sendUntilReceived(from, empty, heartbeat(4n, 2n, 5))).toMatchObject({ from: 4n, commit: 5 });
  });

  test("is not answered where more of them than there can be have come", () => {
    const { links, unreachable } = sender(2n);
    const urls = ["http://127.0.0.1:1"];
    const first = 10n;
    const last = first + BigInt(limits.peerVisitorsMax);
    const leave = links.meet({ id: first, urls });
    for (let id = first + 1n; id <= last; id++) links.meet({ id, urls });
    const answers = (id: MemberId): boolean => {
      const before = unreachable.size;
      links.send([heartbeat(2n, id, 1)]);
      return unreachable.size > before;
    };
    expect([answers(first), answers(last - 1n), answers(last)]).toEqual([true, true, false]);
    leave();
    links.meet({ id: last, urls });
    expect([answers(first), answers(last)]).toEqual([false, true]);
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

  // Raft sends nothing else to a follower before it hears what became of its image.
  test("an image is reported as lost when its receiver goes away in the middle", async () => {
    const { from, to } = await linked();
    let begun = (): void => {};
    const pouring = new Promise<void>((resolve) => {
      begun = resolve;
    });
    from.links.sendSnapshot(
      message,
      image(
        (async function* () {
          yield Buffer.alloc(100_000);
          begun();
          // The rest never comes: only the end of the stream can end this.
          await new Promise<void>(() => {});
        })(),
        () => {},
      ),
    );
    await pouring;
    await to.close();
    expect(await from.snapshotFates.take()).toBe(false);
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
