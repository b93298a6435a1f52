/**
 * Does something that only one process may do at a time, and makes sure that a process that slept while it held
 * the lock does no harm when it wakes up.
 *
 *     npx vite-node examples/one-at-a-time.ts
 */
import { connect, put } from "quorate/client";
import { Mutex, openSession } from "quorate/recipes";

await using client = connect({ endpoints: (process.env.ENDPOINTS ?? "127.0.0.1:2379").split(",") });
await using session = await openSession(client, { ttlSeconds: 10 });
await using held = await new Mutex(session, "nightly-report").lock();
console.log(`held with fencing revision ${held.fencingRevision}`);

// In the store itself the lock is a condition; elsewhere, refuse a fencing revision below one already seen.
const { succeeded } = await client.txn().if(held.isOwner()).then(put("report/state", "done")).commit();
console.log(succeeded ? "done" : "the lock was lost, nothing was written");
