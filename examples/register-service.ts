/**
 * Announces a service for as long as this process lives, where the resolver of etcd's Go client finds it.
 *
 *     npx vite-node examples/register-service.ts shop 10.0.0.7:8080
 */
import { once } from "node:events";
import { connect } from "quorate/client";

const [service = "shop", address = "127.0.0.1:8080"] = process.argv.slice(2);
await using client = connect({ endpoints: (process.env.ENDPOINTS ?? "127.0.0.1:2379").split(",") });

// After a crash the entry is gone in ten seconds; after an orderly end at once, as the lease is revoked below.
await using lease = await client.leases.keep(10);
const entry = JSON.stringify({ Op: 0, Addr: address, Metadata: null });
await client.kv.put(`${service}/${address}`, entry, { lease: lease.id });
console.log(`${service} is at ${address}`);

await Promise.race([once(process, "SIGINT"), once(lease.lost, "abort")]);
if (lease.lost.aborted) console.error("no longer announced:", lease.lost.reason);
