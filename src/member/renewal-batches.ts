/**
 * Keep-alives on their way to another member that leads: all that come in one turn of the event loop travel in one
 * call. While as many calls are out as may be, the next ones gather.
 */
import type { LeaseId, MemberId } from "../base/brand.js";
import { limits } from "../base/limits.js";
import type { LeasePeers, RenewedSeconds } from "../ports/lease-peers.js";

interface Waiting {
  readonly lease: LeaseId;
  readonly resolve: (seconds: RenewedSeconds) => void;
  readonly reject: (error: unknown) => void;
}

interface Call {
  readonly leader: MemberId;
  readonly batch: readonly Waiting[];
}

export class RenewalBatches {
  private readonly gathering = new Map<MemberId, Waiting[]>();
  private readonly callsOut = new Set<Call>();
  private scheduled = false;

  constructor(
    private readonly options: { readonly timeoutMs: number },
    private readonly deps: { readonly peers: LeasePeers },
  ) {}

  /** Rejects when `leader` does not answer. */
  renew(leader: MemberId, lease: LeaseId): Promise<RenewedSeconds> {
    return new Promise((resolve, reject) => {
      const waiting = this.gathering.get(leader);
      if (waiting === undefined) this.gathering.set(leader, [{ lease, resolve, reject }]);
      else waiting.push({ lease, resolve, reject });
      this.schedule();
    });
  }

  /** Nobody waits any longer for one who does not lead: a member that sleeps would not answer before a time limit. */
  leaderChanged(leader: MemberId): void {
    for (const call of this.callsOut) {
      if (call.leader !== leader) for (const { resolve } of call.batch) resolve(undefined);
    }
    for (const [asked, waiting] of this.gathering) {
      if (asked === leader) continue;
      this.gathering.delete(asked);
      for (const { resolve } of waiting) resolve(undefined);
    }
  }

  private schedule(): void {
    if (this.scheduled || this.callsOut.size >= limits.renewalCallsMax) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.sendAll();
    });
  }

  private sendAll(): void {
    for (const [leader, waiting] of this.gathering) {
      while (waiting.length > 0 && this.callsOut.size < limits.renewalCallsMax) {
        this.send(leader, waiting.splice(0, limits.renewalsPerCallMax));
      }
      if (waiting.length === 0) this.gathering.delete(leader);
    }
  }

  private send(leader: MemberId, batch: readonly Waiting[]): void {
    const call = { leader, batch };
    this.callsOut.add(call);
    this.deps.peers
      .renewLeases(
        leader,
        batch.map(({ lease }) => lease),
        this.options.timeoutMs,
      )
      .then(
        (answers) => {
          for (const [at, { resolve }] of batch.entries()) resolve(answers[at]);
        },
        (error: unknown) => {
          for (const { reject } of batch) reject(error);
        },
      )
      .finally(() => {
        this.callsOut.delete(call);
        if (this.gathering.size > 0) this.schedule();
      });
  }
}
