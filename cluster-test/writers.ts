/**
 * Writers with unique keys that note what was acknowledged. A put that fails is unknown: it may stand or not. An
 * acknowledged one must stand, with its value, for good.
 */
import { connect, type QuorateClient } from "../src/client/index.js";
import { patienceMs, within } from "./within.js";

export interface Acknowledged {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

const putTimeoutMs = 2_000;

export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  /** Puts of which nobody knows what became. */
  unknown = 0;
  private readonly clients: readonly QuorateClient[];
  private readonly loops: readonly Promise<void>[];
  private stopped = false;
  /** While set, no new put begins. */
  private gate: { readonly open: Promise<void>; readonly release: () => void } | undefined;
  private waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  private readonly valueBytes: number;

  constructor(
    endpoints: readonly string[],
    options: { readonly count: number; readonly valueBytes: number },
  ) {
    this.valueBytes = options.valueBytes;
    // Each begins at another endpoint, so that followers forward too.
    this.clients = Array.from({ length: options.count }, (_, at) =>
      connect({ endpoints: endpoints.map((_, shift) => endpoints[(at + shift) % endpoints.length]!) }),
    );
    this.loops = this.clients.map((client, at) => this.write(client, at));
  }

  /** Resolves when `more` further puts were acknowledged; rejects where the cluster takes none. */
  acknowledge(more: number): Promise<void> {
    const count = this.acknowledged.length + more;
    const done = new Promise<void>((resolve) => this.waiters.push({ count, resolve }));
    return within(patienceMs(more), `${more} puts acknowledged`, done);
  }

  /** No new put until `resume`; those on their way go on. */
  pause(): void {
    if (this.gate !== undefined || this.stopped) return;
    let release = (): void => {};
    const open = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.gate = { open, release };
  }

  resume(): void {
    this.gate?.release();
    this.gate = undefined;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.resume();
    await Promise.all(this.loops);
    await Promise.all(this.clients.map((client) => client.close()));
  }

  private async write(client: QuorateClient, writer: number): Promise<void> {
    for (let count = 0; !this.stopped; count++) {
      if (this.gate !== undefined) await this.gate.open;
      const key = `writer/${writer}/${String(count).padStart(8, "0")}`;
      const value = `${key}:`.padEnd(this.valueBytes, "x");
      try {
        const answer = await client.kv.put(key, value, { timeoutMs: putTimeoutMs });
        this.note({ key, value, revision: Number(answer.header!.revision) });
      } catch {
        this.unknown++;
      }
    }
  }

  private note(put: Acknowledged): void {
    this.acknowledged.push(put);
    const due = this.waiters.filter((waiter) => waiter.count <= this.acknowledged.length);
    if (due.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => !due.includes(waiter));
    for (const waiter of due) waiter.resolve();
  }
}
