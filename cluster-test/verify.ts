/** What must hold after any fault: acknowledged writes stand, revisions do not go back, the members agree. */
import { setTimeout as delay } from "node:timers/promises";
import { GrpcCode, isClientError, type QuorateClient } from "../src/client/index.js";
import type { Victims } from "./victims.js";
import type { Acknowledged, Writers } from "./writers.js";

const pollMs = 50;
const hashTimeoutMs = 20_000;

/** All that a fault must leave as it was; gives the revision, which must not be below `floor`. All members must be up. */
export async function verifyCluster(victims: Victims, writers: Writers, floor: number): Promise<number> {
  await using client = victims.connect();
  const known = writers.acknowledged.slice();
  const newest = known.reduce((highest, put) => Math.max(highest, put.revision), floor);
  const revision = await verifyRevision(client, newest);
  await verifyAcknowledged(client, known);
  await verifyHashes(client, victims.endpoints, { revision, timeoutMs: hashTimeoutMs });
  return revision;
}

/** Throws with the first key that is lost or altered. */
export async function verifyAcknowledged(
  client: QuorateClient,
  acknowledged: readonly Acknowledged[],
): Promise<void> {
  const stored = new Map<string, { readonly value: string; readonly revision: number }>();
  for await (const answer of client.kv.rangeStream("writer/", { prefix: true })) {
    for (const kv of answer.kvs) {
      stored.set(Buffer.from(kv.key).toString(), {
        value: Buffer.from(kv.value).toString(),
        revision: Number(kv.modRevision),
      });
    }
  }
  for (const put of acknowledged) {
    const found = stored.get(put.key);
    if (found === undefined) throw new Error(`lost: ${put.key}, acknowledged at revision ${put.revision}`);
    if (found.value !== put.value) throw new Error(`altered: ${put.key} is ${found.value}`);
    if (found.revision !== put.revision) {
      throw new Error(
        `moved: ${put.key} was acknowledged at revision ${put.revision} and stands at ${found.revision}`,
      );
    }
  }
}

/** The store's revision, which must not be below `floor`. */
export async function verifyRevision(client: QuorateClient, floor: number): Promise<number> {
  const answer = await client.kv.get("writer/", { prefix: true, countOnly: true });
  const revision = Number(answer.header!.revision);
  if (revision < floor) throw new Error(`the revision went back from ${floor} to ${revision}`);
  return revision;
}

/** Every member has the same hash at `revision`. Waits for members that are behind, up to `timeoutMs`. */
export async function verifyHashes(
  client: QuorateClient,
  endpoints: readonly string[],
  options: { readonly revision: number; readonly timeoutMs: number },
): Promise<number> {
  const deadline = Date.now() + options.timeoutMs;
  const hashes = await Promise.all(
    endpoints.map((endpoint) => hashAt(client, endpoint, options.revision, deadline)),
  );
  const [first] = hashes;
  if (hashes.some((hash) => hash !== first)) {
    throw new Error(
      `the members disagree at revision ${options.revision}: ${endpoints.map((name, at) => `${name} ${hashes[at]}`).join(", ")}`,
    );
  }
  return first!;
}

async function hashAt(
  client: QuorateClient,
  endpoint: string,
  revision: number,
  deadline: number,
): Promise<number> {
  while (true) {
    try {
      const answer = await client.maintenance.hashKv(revision, { endpoint });
      return answer.hash;
    } catch (error) {
      // A member that lags answers that the revision is in the future: this is what is waited for.
      const lags = isClientError(error, GrpcCode.OutOfRange) || isClientError(error, GrpcCode.Unavailable);
      if (!lags || Date.now() > deadline) throw error;
      await delay(pollMs);
    }
  }
}
