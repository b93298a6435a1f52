import { afterEach, expect, test } from "vitest";
import { connect, GrpcCode, type QuorateClient, type QuorateClientError } from "../../src/client/index.js";
import { PutResponse, RangeResponse, RangeStreamResponse } from "../../src/gen/etcdserver.js";
import { type Answers, type FakeServer, startFakeServer } from "./fake-server.js";

const unavailable = { code: GrpcCode.Unavailable, details: "etcdserver: request timed out" };
const aPut = PutResponse.create({});
const aRange = RangeResponse.create({ count: 1n });
/** Nothing listens there: reserved, and refused at once. */
const deadEndpoint = "127.0.0.1:1";

const opened: { stop(): void }[] = [];
afterEach(() => {
  for (const resource of opened.splice(0)) resource.stop();
});

async function serve(answers: Answers): Promise<FakeServer> {
  const server = await startFakeServer(answers);
  opened.push(server);
  return server;
}

function open(options: Parameters<typeof connect>[0]): QuorateClient {
  const client = connect({ balance: "ordered", ...options });
  opened.push({ stop: () => void client.close() });
  return client;
}

async function failureOf(call: Promise<unknown>): Promise<QuorateClientError> {
  return call.then(
    () => expect.unreachable("the call was to fail"),
    (error: QuorateClientError) => error,
  );
}

test("a write that may have been applied is never sent again, and says so", async () => {
  const first = await serve({ put: () => unavailable });
  const second = await serve({ put: () => aPut });
  const client = open({ endpoints: [first.endpoint, second.endpoint] });
  const failure = await failureOf(client.kv.put("k", "v"));
  expect(failure).toMatchObject({
    code: GrpcCode.Unavailable,
    mayHaveBeenApplied: true,
    endpoint: first.endpoint,
  });
  expect(failure.message).toBe("etcdserver: request timed out");
  expect([first.asked.put, second.asked.put]).toEqual([1, 0]);
  // The next call goes to the other endpoint.
  await client.kv.put("k", "v");
  expect([first.asked.put, second.asked.put]).toEqual([1, 1]);
});

test("a read goes to the next endpoint when one is unavailable", async () => {
  const first = await serve({ range: () => unavailable });
  const second = await serve({ range: () => aRange });
  const client = open({ endpoints: [first.endpoint, second.endpoint] });
  expect((await client.kv.get("k")).count).toBe(1n);
  expect([first.asked.range, second.asked.range]).toEqual([1, 1]);
});

test("a write goes to the next endpoint when the first takes no connection", async () => {
  const live = await serve({ put: () => aPut });
  const client = open({ endpoints: [deadEndpoint, live.endpoint] });
  await client.kv.put("k", "v");
  expect(live.asked.put).toBe(1);
});

test("an error that the server means is not repeated", async () => {
  const compacted = {
    code: GrpcCode.OutOfRange,
    details: "etcdserver: mvcc: required revision has been compacted",
  };
  const server = await serve({ range: () => compacted });
  const failure = await failureOf(open({ endpoints: [server.endpoint] }).kv.get("k", { revision: 1 }));
  expect(failure).toMatchObject({
    code: GrpcCode.OutOfRange,
    message: compacted.details,
    mayHaveBeenApplied: false,
  });
  expect(server.asked.range).toBe(1);
});

test("without any server a call ends at its deadline, or when dialing took too long, and was not applied", async () => {
  const client = open({ endpoints: [deadEndpoint], timeouts: { dialMs: 60 } });
  const dialed = await failureOf(client.kv.put("k", "v"));
  expect(dialed).toMatchObject({
    code: GrpcCode.Unavailable,
    mayHaveBeenApplied: false,
    endpoint: undefined,
  });
  const timedOut = await failureOf(client.kv.put("k", "v", { timeoutMs: 30 }));
  expect(timedOut).toMatchObject({ code: GrpcCode.DeadlineExceeded, mayHaveBeenApplied: false });
});

test("a server that does not answer costs a call its deadline and no more", async () => {
  const server = await serve({ put: () => "never" });
  const client = open({ endpoints: [server.endpoint] });
  const failure = await failureOf(client.kv.put("k", "v", { timeoutMs: 80 }));
  expect(failure).toMatchObject({ code: GrpcCode.DeadlineExceeded, mayHaveBeenApplied: true });
});

test("aborting ends a call under way, and one that has not begun", async () => {
  const controller = new AbortController();
  const server = await serve({
    range: () => {
      controller.abort();
      return "never";
    },
  });
  const client = open({ endpoints: [server.endpoint] });
  const failure = await failureOf(client.kv.get("k", { signal: controller.signal }));
  expect(failure.code).toBe(GrpcCode.Canceled);
  const before = await failureOf(client.kv.get("k", { signal: AbortSignal.abort() }));
  expect(before.code).toBe(GrpcCode.Canceled);
});

test("a token is fetched once, sent with every call, and renewed when the server lost it", async () => {
  let issued = 0;
  const invalid = { code: GrpcCode.Unauthenticated, details: "etcdserver: invalid auth token" };
  const server = await serve({
    authenticate: ({ name, password }) => ({ header: undefined, token: `${name}.${password}.${++issued}` }),
    put: (_, metadata) => (metadata.get("token")[0] === "root.secret.2" ? aPut : invalid),
  });
  const client = open({ endpoints: [server.endpoint], auth: { user: "root", password: "secret" } });
  await Promise.all([client.kv.put("a", "1"), client.kv.put("b", "2")]);
  await client.kv.put("c", "3");
  expect(server.asked.authenticate).toBe(2);
});

test("name and password are no hindrance where authentication is off", async () => {
  const off = { code: GrpcCode.FailedPrecondition, details: "etcdserver: authentication is not enabled" };
  const server = await serve({ authenticate: () => off, put: () => aPut });
  await open({ endpoints: [server.endpoint], auth: { user: "root", password: "x" } }).kv.put("k", "v");
  expect(server.asked.put).toBe(1);
});

test("a wrong password fails the call and is tried again by the next", async () => {
  const wrong = {
    code: GrpcCode.InvalidArgument,
    details: "etcdserver: authentication failed, invalid user ID or password",
  };
  const server = await serve({ authenticate: () => wrong, put: () => aPut });
  const client = open({ endpoints: [server.endpoint], auth: { user: "root", password: "x" } });
  expect((await failureOf(client.kv.put("k", "v"))).message).toBe(wrong.details);
  expect((await failureOf(client.kv.put("k", "v"))).message).toBe(wrong.details);
  expect([server.asked.authenticate, server.asked.put]).toEqual([2, 0]);
});

const piece = RangeStreamResponse.create({ rangeResponse: { count: 2n } });

test("a stream that broke before its first piece is opened on the next endpoint", async () => {
  const first = await serve({ rangeStream: () => ({ pieces: [], end: unavailable }) });
  const second = await serve({ rangeStream: () => ({ pieces: [piece, piece], end: undefined }) });
  const client = open({ endpoints: [first.endpoint, second.endpoint] });
  let count = 0;
  for await (const { count: keys } of client.kv.rangeStream("k")) count += Number(keys);
  expect(count).toBe(4);
});

test("a stream that broke in the middle fails, as its pieces cannot be taken back", async () => {
  const first = await serve({ rangeStream: () => ({ pieces: [piece], end: unavailable }) });
  const second = await serve({ rangeStream: () => ({ pieces: [piece, piece], end: undefined }) });
  const client = open({ endpoints: [first.endpoint, second.endpoint] });
  const pieces: unknown[] = [];
  const reading = (async () => {
    for await (const one of client.kv.rangeStream("k")) pieces.push(one);
  })();
  expect(await failureOf(reading)).toMatchObject({ code: GrpcCode.Unavailable, mayHaveBeenApplied: false });
  expect([pieces.length, second.asked.rangeStream]).toEqual([1, 0]);
});

test("a call can be pinned to one endpoint, which must be one of the client's", async () => {
  const client = open({ endpoints: [deadEndpoint], timeouts: { dialMs: 30 } });
  const failure = await failureOf(client.maintenance.status({ endpoint: "127.0.0.1:2" }));
  expect(failure.message).toBe('endpoint "127.0.0.1:2" is not one of this client\'s');
  expect((await failureOf(client.maintenance.status({ endpoint: deadEndpoint }))).code).toBe(
    GrpcCode.Unavailable,
  );
});

test("a closed client refuses calls, and `await using` closes it", async () => {
  const server = await serve({ put: () => aPut });
  let kept: QuorateClient;
  {
    await using client = connect({ endpoints: [server.endpoint] });
    await client.kv.put("k", "v");
    kept = client;
  }
  expect(await failureOf(kept.kv.put("k", "v"))).toMatchObject({
    code: GrpcCode.Canceled,
    mayHaveBeenApplied: false,
  });
});

test("a client of no endpoints is refused at once", () => {
  expect(() => connect({ endpoints: [] })).toThrow("etcdclient: no available endpoints");
});

test("a request above the client's limit fails before it is sent", async () => {
  const server = await serve({ put: () => aPut });
  const client = open({ endpoints: [server.endpoint], sendBytesMax: 1_000 });
  expect((await failureOf(client.kv.put("k", "v".repeat(2_000)))).code).toBe(GrpcCode.ResourceExhausted);
  expect(server.asked.put).toBe(0);
});
