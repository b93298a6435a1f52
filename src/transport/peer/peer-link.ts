/**
 * The sending end of one link: a stream of message batches to one peer, dialed again with backoff when it
 * breaks. What can not be sent is dropped, as Raft repeats it; memory is bounded, nobody else waits.
 */
import { partsBytes } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";
import type { Logger } from "../../base/logger.js";
import type { Clock } from "../../ports/clock.js";
import type { Peer } from "../../ports/peer-transport.js";
import type { StoreImage } from "../../ports/revision-store.js";
import type { Message } from "../../raft/message.js";
import { encodeMessage, type MessageEncoder, type MessageParts } from "../../raft/message-codec.js";
import type { GrpcChannel, GrpcClientStream } from "../http2/client.js";
import { RpcStatus, StatusCode } from "../rpc.js";
import {
  decodeId,
  encodeBatch,
  encodeChunk,
  encodeId,
  type Introduction,
  introductionMetadata,
  peerPaths,
} from "./protocol.js";

const caller = "transport/peer";

/** Connects to a peer URL; rejects when nobody answers. */
export type ChannelFactory = (url: string) => Promise<GrpcChannel>;

export interface PeerLinkDeps {
  readonly connect: ChannelFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** The link broke or its queue is full. */
  readonly unreachable: () => void;
}

interface Connection {
  readonly channel: GrpcChannel;
  readonly stream: GrpcClientStream;
  accepted: boolean;
  /** False while the peer is behind. */
  writable: boolean;
}

export class PeerLink {
  private connection: Connection | undefined;
  private waiting: MessageParts[] = [];
  private waitingBytes = 0;
  private failures = 0;
  private urlTurn = 0;
  private closed = false;
  private cancelRetry: () => void = () => {};

  constructor(
    private readonly peer: Peer,
    private readonly introduction: Introduction,
    private readonly deps: PeerLinkDeps,
  ) {
    this.dial();
  }

  get urls(): readonly string[] {
    return this.peer.urls;
  }

  get active(): boolean {
    return this.connection?.accepted === true;
  }

  /** Sends now where the stream takes it, else keeps what fits the bounds and drops the rest. */
  send(messages: readonly Message[], encoder: MessageEncoder): void {
    const { connection } = this;
    if (connection?.accepted !== true) {
      // Kept messages would be old when the peer is back; raft asks it where it stands instead.
      this.deps.unreachable();
      return;
    }
    const encoded = messages.map((message) => encoder.encode(message));
    if (connection.writable && this.waiting.length === 0) {
      connection.writable = connection.stream.write(encodeBatch(encoded));
      return;
    }
    for (const message of encoded) this.enqueue(message);
  }

  /** Streams `image` after `message`; resolves with whether all of it arrived. */
  async sendSnapshot(message: Message, image: StoreImage): Promise<boolean> {
    const { connection } = this;
    if (connection === undefined) return false;
    let drained: (() => void) | undefined;
    let ended: RpcStatus | undefined;
    let received = false;
    const over = new Promise<boolean>((resolve) => {
      const stream = connection.channel.openStream(
        peerPaths.snapshot,
        introductionMetadata(this.introduction),
        {
          onMessage: () => {
            received = true;
          },
          onDrain: () => drained?.(),
          onEnd: (status) => {
            ended = status;
            drained?.();
            resolve(received && status.code === StatusCode.Ok);
          },
        },
      );
      const pour = async (): Promise<void> => {
        stream.write(encodeBatch([[encodeMessage(message)]]));
        for await (const chunk of image.chunks()) {
          if (ended !== undefined) return;
          if (stream.write(encodeChunk(chunk))) continue;
          await new Promise<void>((resume) => {
            drained = resume;
          });
        }
        stream.end();
      };
      pour().catch((error: unknown) => {
        this.deps.logger.warn(caller, "failed to send database snapshot", { error: String(error) });
        stream.cancel();
      });
    });
    return over;
  }

  /** Whether the peer counts `id` among the members; false where it does not answer. */
  async knows(id: bigint): Promise<boolean> {
    const { connection } = this;
    if (connection === undefined) return false;
    try {
      const options = { metadata: introductionMetadata(this.introduction), timeoutMs: knowsTimeoutMs };
      return decodeId(await connection.channel.unary(peerPaths.knows, encodeId(id), options)) === 1n;
    } catch {
      // An answer that does not come is the answer no: the one who asked tries again later.
      return false;
    }
  }

  /** The peer's answer to a unary call; rejects with RpcStatus, Unavailable where there is no link. */
  async ask(path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const { connection } = this;
    if (connection === undefined) throw new RpcStatus(StatusCode.Unavailable, "no link to the peer");
    return connection.channel.unary(path, body, {
      metadata: introductionMetadata(this.introduction),
      timeoutMs,
    });
  }

  close(): void {
    this.closed = true;
    this.cancelRetry();
    this.connection?.stream.cancel();
    this.connection?.channel.close();
    this.connection = undefined;
  }

  private dial(): void {
    if (this.closed) return;
    const url = this.peer.urls[this.urlTurn++ % this.peer.urls.length];
    if (url === undefined) return;
    this.deps.connect(url).then(
      (channel) => this.open(channel, url),
      (error: unknown) => this.retry(url, error instanceof Error ? error.message : String(error)),
    );
  }

  private open(channel: GrpcChannel, url: string): void {
    if (this.closed) {
      channel.close();
      return;
    }
    const stream = channel.openStream(peerPaths.messages, introductionMetadata(this.introduction), {
      onMessage: () => this.accept(connection),
      onDrain: () => this.drain(connection),
      onEnd: (status) => this.lose(connection, url, status),
    });
    const connection: Connection = { channel, stream, accepted: false, writable: true };
    this.connection = connection;
  }

  private accept(connection: Connection): void {
    if (connection.accepted) return;
    connection.accepted = true;
    this.failures = 0;
    this.deps.logger.info(caller, "peer became active", { "peer-id": this.peer.id.toString(16) });
  }

  private drain(connection: Connection): void {
    connection.writable = true;
    if (this.waiting.length === 0) return;
    const batch = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    connection.writable = connection.stream.write(encodeBatch(batch));
  }

  private lose(connection: Connection, url: string, status: RpcStatus): void {
    if (this.connection !== connection) return;
    connection.channel.close();
    this.connection = undefined;
    this.waiting = [];
    this.waitingBytes = 0;
    if (connection.accepted) {
      const fields = { "peer-id": this.peer.id.toString(16), url, code: status.code, error: status.message };
      this.deps.logger.warn(caller, "peer became inactive (message send to peer failed)", fields);
    }
    this.retry(url, status.message);
  }

  private retry(url: string, reason: string): void {
    if (this.closed) return;
    if (this.failures === 0) {
      const fields = { "peer-id": this.peer.id.toString(16), url, error: reason };
      this.deps.logger.info(caller, "cannot reach peer yet; retrying", fields);
    }
    this.deps.unreachable();
    this.failures++;
    // Doubled up to the limit, and spread, so that members that start together do not knock together.
    const doubledMs = limits.peerRetryMsMin * 2 ** Math.min(this.failures - 1, retryDoublingsMax);
    const delayMs = Math.min(doubledMs, limits.peerRetryMsMax) * (0.5 + this.deps.random() / 2);
    this.cancelRetry = this.deps.clock.after(delayMs, () => this.dial());
  }

  private enqueue(message: MessageParts): void {
    const bytes = partsBytes(message);
    const full =
      this.waiting.length >= limits.peerQueueMessagesMax ||
      this.waitingBytes + bytes > limits.peerQueueBytesMax;
    if (full) {
      this.deps.unreachable();
      return;
    }
    this.waiting.push(message);
    this.waitingBytes += bytes;
  }
}

const knowsTimeoutMs = 2_000;
/** Keeps the power of two small; the limit is reached long before. */
const retryDoublingsMax = 10;
