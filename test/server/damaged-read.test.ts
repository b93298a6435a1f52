/** A read that meets damage on disk. If this fails, a member goes on with a store that it can not trust. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorText } from "../../src/api/error-table.js";
import { kvMethods } from "../../src/api/kv.js";
import { DamageError } from "../../src/base/errors.js";
import { silentLogger } from "../../src/base/logger.js";
import { MetricRegistry } from "../../src/base/metrics.js";
import { RangeRequest } from "../../src/gen/etcdserver.js";
import type { Member } from "../../src/member/contract.js";
import { damageStops, errorMapper } from "../../src/server/error-mapper.js";
import { nodeClock } from "../../src/server/node-clock.js";
import { requestDurations } from "../../src/server/show-metrics.js";
import { StatusCode } from "../../src/transport/rpc.js";
import { GrpcJsClient } from "../transport/grpc-js-client.js";
import { startServer, type TestServer } from "../transport/support.js";

const damage = new DamageError("block 7.0 of store/db-1 is damaged");
const failures: unknown[] = [];
let server: TestServer;
let client: GrpcJsClient;

beforeAll(async () => {
  const parts: Partial<Member> = {
    openRange: () => {
      throw damage;
    },
    range: () => {
      throw damage;
    },
  };
  const deps = { clock: nodeClock, times: requestDurations(new MetricRegistry()) };
  const mapError = damageStops(errorMapper(silentLogger), (error) => failures.push(error));
  server = await startServer({ methods: kvMethods(parts as Member, { txnOpsMax: 128 }, deps), mapError });
  client = new GrpcJsClient(server.port);
});
afterAll(async () => {
  client.close();
  await server.close();
});

test("the member stops, and its client is sent to another one by the answer that the server stopped", async () => {
  const request = RangeRequest.fromPartial({ key: Buffer.from("a"), serializable: true });
  await expect(
    client.unary("/etcdserverpb.KV/Range", RangeRequest.encode(request).finish()),
  ).rejects.toMatchObject({
    code: StatusCode.Unavailable,
    details: errorText("Stopped"),
  });
  expect(failures).toEqual([damage]);
});
