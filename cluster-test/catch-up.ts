/**
 * A follower that was away while the log was cut catches up from an image of the store, also when it dies in the
 * middle of that, and while clients read from it: a serializable read gives an old state or an error, never a
 * wrong state.
 */
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type QuorateClient, QuorateClientError } from "../src/client/index.js";
import type { ServerBinary } from "../test/support/server-binary.js";
import { verifyCluster } from "./verify.js";
import { loopback, Victims } from "./victims.js";
import { Writers } from "./writers.js";

export interface CatchUpOptions {
  /** Size of the store, about, before the follower goes. */
  readonly fillBytes: number;
  readonly valueBytes: number;
  /** Puts that the follower misses: more than the leader keeps for those that lag. */
  readonly putsMissed: number;
  /** Whether writers go on while it catches up. They must not be quicker than an image is sent and installed. */
  readonly writesMeanwhile: boolean;
  /** Places in which the follower dies while it catches up, one after the other, before it may. */
  readonly deaths: readonly Death[];
  readonly log: (line: string) => void;
}

/** A failpoint that panics, or a kill -9 while the image is being received. */
export type Death = { readonly failpoint: string } | "receiving";

export interface CatchUpReport {
  /** Deaths in the middle of catching up that did come about. */
  readonly died: number;
  /** Serializable reads that the follower answered meanwhile. */
  readonly reads: number;
  readonly caughtUpMs: number;
  readonly revision: number;
}

const snapshotCount = 100;
const catchUpEntries = 10;
const receivedPollMs = 2;
const deathTimeoutMs = 30_000;

export async function runCatchUp(binary: ServerBinary, options: CatchUpOptions): Promise<CatchUpReport> {
  const victims = await Victims.start(binary, {
    count: 3,
    extraArgs: [
      ...["--snapshot-count", String(snapshotCount)],
      ...["--snapshot-catchup-entries", String(catchUpEntries)],
    ],
    ground: loopback,
  });
  const writers = new Writers(victims.endpoints, { count: 4, valueBytes: options.valueBytes });
  let reader: Reader | undefined;
  try {
    await writers.acknowledge(Math.ceil(options.fillBytes / options.valueBytes) + snapshotCount);
    const follower = victims.others(await victims.leader())[0]!;
    let died = 0;
    for (const death of options.deaths) {
      await fallBehind(victims, writers, { follower, puts: options.putsMissed });
      if (await dieCatchingUp(victims, follower, death)) died++;
      else throw new Error(`the follower did not die: ${JSON.stringify(death)}`);
      options.log(`died: ${death === "receiving" ? death : death.failpoint}`);
    }
    await fallBehind(victims, writers, { follower, puts: options.putsMissed });
    reader = new Reader(victims.connectTo(follower), writers);
    if (!options.writesMeanwhile) writers.pause();
    const startedMs = performance.now();
    victims.restart(follower);
    await victims.logged(follower, "applied snapshot");
    const caughtUpMs = performance.now() - startedMs;
    await victims.healthy(follower);
    const reads = await reader.stop();
    await writers.stop();
    const revision = await verifyCluster(victims, writers, 0);
    await verifyNothingLeft(victims, follower);
    const errors = victims.errorLines();
    if (errors.length > 0) throw new Error(`a member complains: ${errors[0]}`);
    return { died, reads, caughtUpMs, revision };
  } finally {
    reader?.abandon();
    await writers.stop();
    await victims.destroy();
  }
}

async function fallBehind(
  victims: Victims,
  writers: Writers,
  options: { readonly follower: number; readonly puts: number },
): Promise<void> {
  await victims.kill(options.follower);
  await writers.acknowledge(options.puts);
}

/** False where the follower caught up without dying. */
async function dieCatchingUp(victims: Victims, follower: number, death: Death): Promise<boolean> {
  if (death === "receiving") {
    victims.restart(follower);
    await victims.logged(follower, "receiving database snapshot");
    const store = join(victims.member(follower).dataDir, "member", "store");
    while (!(await receives(store)) && !victims.hasLogged(follower, "applied snapshot")) {
      await delay(receivedPollMs);
    }
    await victims.kill(follower);
    return !victims.hasLogged(follower, "applied snapshot");
  }
  victims.restart(follower, { GOFAIL_FAILPOINTS: `${death.failpoint}=panic` });
  const exit = await victims.died(follower, deathTimeoutMs);
  return exit.signal === "SIGKILL";
}

async function receives(store: string): Promise<boolean> {
  return (await readdir(store)).some((name) => name.startsWith("incoming-"));
}

/** What a crash left of earlier images is gone. */
async function verifyNothingLeft(victims: Victims, follower: number): Promise<void> {
  await victims.stop(follower);
  victims.restart(follower);
  await victims.healthy(follower);
  const store = join(victims.member(follower).dataDir, "member", "store");
  const names = (await readdir(store)).filter((name) => name !== "active");
  if (names.length !== 1) throw new Error(`the store directory holds ${names.join(", ")}`);
  await access(join(store, names[0]!, "CURRENT"));
}

/** Reads single keys of which it is known at which revision they were written, as fast as answers come. */
class Reader {
  private stopped = false;
  private count = 0;
  private readonly loop: Promise<void>;

  constructor(
    private readonly client: QuorateClient,
    private readonly writers: Writers,
  ) {
    this.loop = this.read();
    // Whoever stops it sees the failure.
    this.loop.catch(() => {});
  }

  /** For a test that has failed already. */
  abandon(): void {
    this.stopped = true;
  }

  /** How many reads were answered. Throws where one was wrong. */
  async stop(): Promise<number> {
    this.stopped = true;
    try {
      await this.loop;
    } finally {
      await this.client.close();
    }
    return this.count;
  }

  private async read(): Promise<void> {
    let floor = 0;
    for (let turn = 0; !this.stopped; turn++) {
      const { acknowledged } = this.writers;
      // A stride that meets old keys and new ones alike.
      const put = acknowledged[(turn * 7_919) % acknowledged.length]!;
      const answer = await this.client.kv
        .get(put.key, { serializable: true, timeoutMs: 2_000 })
        .catch((error: unknown) => {
          if (error instanceof QuorateClientError) return undefined;
          throw error;
        });
      if (answer === undefined) {
        await delay(receivedPollMs);
        continue;
      }
      this.count++;
      const revision = Number(answer.header!.revision);
      if (revision < floor) throw new Error(`a serializable read went back from ${floor} to ${revision}`);
      floor = revision;
      const found = answer.kvs[0];
      if (found === undefined && revision >= put.revision) {
        throw new Error(`${put.key} of revision ${put.revision} is missing at revision ${revision}`);
      }
      if (found !== undefined && (revision < put.revision || Number(found.modRevision) !== put.revision)) {
        throw new Error(
          `${put.key} of revision ${put.revision} stands at ${found.modRevision} at ${revision}`,
        );
      }
      if (found !== undefined && Buffer.from(found.value).toString() !== put.value) {
        throw new Error(`${put.key} has a wrong value at revision ${revision}`);
      }
    }
  }
}
