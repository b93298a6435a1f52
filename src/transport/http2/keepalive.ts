/**
 * Both sides of keep-alive: our pings on a quiet connection, and the policy for the peer's pings, which is that
 * of grpc-go's server (gRPC proposal A8 and A9): a ping that comes too early is a strike, anything that we
 * sent in between forgives all strikes, and the third strike ends the connection.
 */
import { ConnectionError, ErrorCode } from "./protocol.js";

export interface KeepaliveOptions {
  /** Ping after this much silence of the peer, ms. */
  readonly intervalMs: number;
  /** Close when nothing at all came for this long after a ping, ms. */
  readonly timeoutMs: number;
  /** Shortest time between pings of the peer while it has streams, ms; undefined: no policy (a client has none). */
  readonly peerPingMinMs: number | undefined;
}

/** Without streams a client has no reason to ping (A8): two hours between pings, as grpc-go has it. */
const streamlessPingMinMs = 2 * 3600 * 1000;
const strikesMax = 2;

export type KeepaliveAction = "none" | "ping" | "close";

export class Keepalive {
  private lastHeardMs: number;
  private heard = false;
  private pingedMs: number | undefined;
  private strikes = 0;
  private forgiven = false;
  private lastPeerPingMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly options: KeepaliveOptions,
    nowMs: number,
  ) {
    this.lastHeardMs = nowMs;
  }

  /** Bytes came from the peer. */
  noteHeard(): void {
    this.heard = true;
  }

  /** HEADERS or DATA went to the peer. */
  noteSent(): void {
    this.forgiven = true;
  }

  /** Throws ConnectionError ENHANCE_YOUR_CALM "too_many_pings". */
  peerPing(streamCount: number, nowMs: number): void {
    const { peerPingMinMs } = this.options;
    if (peerPingMinMs === undefined) return;
    const sinceLastMs = nowMs - this.lastPeerPingMs;
    this.lastPeerPingMs = nowMs;
    if (this.forgiven) {
      this.forgiven = false;
      this.strikes = 0;
      return;
    }
    const minMs = streamCount === 0 ? streamlessPingMinMs : peerPingMinMs;
    if (sinceLastMs < minMs) this.strikes++;
    if (this.strikes > strikesMax) throw new ConnectionError(ErrorCode.EnhanceYourCalm, "too_many_pings");
  }

  /** What to do now; called every now and then. */
  sweep(nowMs: number): KeepaliveAction {
    if (this.heard) {
      this.heard = false;
      this.lastHeardMs = nowMs;
      this.pingedMs = undefined;
    }
    if (this.pingedMs !== undefined)
      return nowMs - this.pingedMs >= this.options.timeoutMs ? "close" : "none";
    if (nowMs - this.lastHeardMs < this.options.intervalMs) return "none";
    this.pingedMs = nowMs;
    return "ping";
  }
}
