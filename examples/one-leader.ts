/**
 * Of all processes that run this, one leads.
 *
 *     npx vite-node examples/one-leader.ts
 */
import { once } from "node:events";
import { connect } from "quorate/client";
import { Election, openSession } from "quorate/recipes";

await using client = connect({ endpoints: (process.env.ENDPOINTS ?? "127.0.0.1:2379").split(",") });
const election = new Election(client, "scheduler");
const me = `${process.env.HOSTNAME ?? "host"}:${process.pid}`;

const stopping = new AbortController();
const interrupted = once(process, "SIGINT").then(() => stopping.abort());

async function observe(): Promise<void> {
  for await (const { kv } of election.observe({ signal: stopping.signal })) {
    console.log(`${Buffer.from(kv.value)} leads`);
  }
}
const observing = observe().catch(() => {});

try {
  await using session = await openSession(client, { ttlSeconds: 10 });
  await using leadership = await election.campaign(session, me, { signal: stopping.signal });
  await Promise.race([interrupted, once(leadership.lost, "abort")]);
} catch (error) {
  if (!stopping.signal.aborted) throw error;
}
stopping.abort();
await observing;
