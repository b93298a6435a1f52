/**
 * Counts what a peer can send for next to nothing and what costs us work: streams opened and reset at once
 * (CVE-2023-44487), streams that it makes us reset (CVE-2025-8671), SETTINGS, PING, PRIORITY, empty DATA. Each
 * kind has a bucket of tokens that refills with time; a peer that empties one is told ENHANCE_YOUR_CALM.
 */
import { limits } from "../../base/limits.js";
import { ConnectionError, ErrorCode } from "./protocol.js";

export class FloodGuard {
  private readonly resets = new TokenBucket(
    "stream resets",
    limits.streamResetsBurst,
    limits.streamResetsPerSecond,
  );
  private readonly settings = new TokenBucket(
    "SETTINGS frames",
    limits.settingsBurst,
    limits.settingsPerSecond,
  );
  private readonly idleFrames = new TokenBucket(
    "frames without effect",
    limits.idleFramesBurst,
    limits.idleFramesPerSecond,
  );

  /** A stream was reset before it was answered, by the peer or because of what the peer sent. */
  countReset(): void {
    this.resets.take();
  }

  countSettings(): void {
    this.settings.take();
  }

  /** PING, PRIORITY, empty DATA, frames of unknown type or for streams that are gone. */
  countIdleFrame(): void {
    this.idleFrames.take();
  }
}

class TokenBucket {
  private tokens: number;
  private filledAtMs = performance.now();

  constructor(
    private readonly what: string,
    private readonly burst: number,
    private readonly perSecond: number,
  ) {
    this.tokens = burst;
  }

  take(): void {
    if (this.tokens < 1) this.refill();
    if (this.tokens < 1) throw new ConnectionError(ErrorCode.EnhanceYourCalm, `too many ${this.what}`);
    this.tokens--;
  }

  private refill(): void {
    const nowMs = performance.now();
    this.tokens = Math.min(this.burst, this.tokens + ((nowMs - this.filledAtMs) / 1000) * this.perSecond);
    this.filledAtMs = nowMs;
  }
}
