/**
 * Keeps a copy of all keys below a prefix: reads them, then follows their changes from that revision on. When it
 * was away for so long that history is compacted, it begins anew.
 *
 *     npx vite-node examples/follow-keys.ts config/
 */
import { connect, WatchCanceledError } from "quorate/client";

const prefix = process.argv[2] ?? "config/";
await using client = connect({ endpoints: (process.env.ENDPOINTS ?? "127.0.0.1:2379").split(",") });
const copy = new Map<string, string>();

for (;;) {
  const { header, kvs } = await client.kv.get(prefix, { prefix: true });
  copy.clear();
  for (const { key, value } of kvs) copy.set(Buffer.from(key).toString(), Buffer.from(value).toString());
  console.log(`${copy.size} keys at revision ${header!.revision}`);
  try {
    for await (const { events } of client.watch(prefix, {
      prefix: true,
      startRevision: header!.revision + 1n,
    })) {
      for (const { type, kv } of events) {
        const key = Buffer.from(kv.key).toString();
        if (type === "put") copy.set(key, Buffer.from(kv.value).toString());
        else copy.delete(key);
        console.log(`${type} ${key} at revision ${kv.modRevision}`);
      }
    }
  } catch (error) {
    if (!(error instanceof WatchCanceledError) || error.compactRevision === undefined) throw error;
  }
}
