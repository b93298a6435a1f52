/** One raw Watch stream and a few KV calls, by grpc-js and the generated codecs: nothing between test and wire. */
import { readFileSync } from "node:fs";
import * as grpc from "@grpc/grpc-js";
import type { RecordedAnswer, RecordedPair } from "../../cluster-test/watch-checker.js";
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from "../../src/gen/etcdserver.js";
import { Event_EventType, type KeyValue } from "../../src/gen/kv.js";
import type { TlsFiles } from "../support/certificates.js";

const answerTimeoutMs = 15_000;

interface Codec<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

/** A connection of its own to one member. */
export class RawClient {
  private readonly client: grpc.Client;

  /** `tls`: the certificates of a target that asks for them. */
  constructor(
    readonly endpoint: string,
    readonly tls?: TlsFiles | undefined,
  ) {
    const credentials =
      tls === undefined
        ? grpc.credentials.createInsecure()
        : grpc.credentials.createSsl(
            readFileSync(tls.ca),
            readFileSync(tls.client.key),
            readFileSync(tls.client.cert),
          );
    this.client = new grpc.Client(endpoint, credentials, {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  watch(metadata: Readonly<Record<string, string>> = {}): WatchSession {
    const headers = new grpc.Metadata();
    for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
    const call = this.client.makeBidiStreamRequest(
      "/etcdserverpb.Watch/Watch",
      (request: WatchRequest) => Buffer.from(WatchRequest.encode(request).finish()),
      (bytes: Buffer) => WatchResponse.decode(bytes),
      headers,
    );
    return new WatchSession(call);
  }

  async put(key: string, value: string | Uint8Array): Promise<number> {
    const request = PutRequest.fromPartial({ key: Buffer.from(key), value: Buffer.from(value) });
    const { header } = await this.call("KV/Put", PutRequest, PutResponse, request);
    return Number(header!.revision);
  }

  async delete(key: string, rangeEnd = ""): Promise<number> {
    const request = DeleteRangeRequest.fromPartial({
      key: Buffer.from(key),
      rangeEnd: Buffer.from(rangeEnd),
    });
    const { header } = await this.call("KV/DeleteRange", DeleteRangeRequest, DeleteRangeResponse, request);
    return Number(header!.revision);
  }

  /** Puts all keys in one transaction. */
  async putAll(pairs: readonly (readonly [key: string, value: string])[]): Promise<number> {
    const success = pairs.map(([key, value]) => ({
      request: { $case: "requestPut" as const, value: { key: Buffer.from(key), value: Buffer.from(value) } },
    }));
    const request = TxnRequest.fromPartial({ success });
    const { header } = await this.call("KV/Txn", TxnRequest, TxnResponse, request);
    return Number(header!.revision);
  }

  async compact(revision: number): Promise<void> {
    const request = CompactionRequest.fromPartial({ revision: BigInt(revision), physical: true });
    await this.call("KV/Compact", CompactionRequest, CompactionResponse, request);
  }

  /** The revision of this member once it has applied what was acknowledged before the call. */
  async revision(): Promise<number> {
    const request = RangeRequest.fromPartial({ key: Buffer.from("no such key") });
    const { header } = await this.call("KV/Range", RangeRequest, RangeResponse, request);
    return Number(header!.revision);
  }

  close(): void {
    this.client.close();
  }

  private call<Request, Response>(
    method: string,
    requests: Codec<Request>,
    responses: Codec<Response>,
    request: Request,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        `/etcdserverpb.${method}`,
        (message: Request) => Buffer.from(requests.encode(message).finish()),
        (bytes: Buffer) => responses.decode(bytes),
        request,
        { deadline: Date.now() + answerTimeoutMs },
        (error, response) => (error === null ? resolve(response!) : reject(error)),
      );
    });
  }
}

export type CreateOptions = Parameters<typeof WatchCreateRequest.fromPartial>[0];

/** Answers wait until the test takes them. */
export class WatchSession {
  /** How the stream ended. */
  readonly ended: Promise<grpc.StatusObject>;
  private readonly answers: WatchResponse[] = [];
  private waiter: (() => void) | undefined;

  constructor(private readonly stream: grpc.ClientDuplexStream<WatchRequest, WatchResponse>) {
    stream.on("data", (answer: WatchResponse) => {
      this.answers.push(answer);
      this.waiter?.();
    });
    stream.on("error", () => undefined);
    this.ended = new Promise((resolve) => stream.on("status", resolve));
  }

  /** Sends a create request; `take` gives its answer. */
  create(
    key: string,
    more: { readonly rangeEnd?: string } & Omit<NonNullable<CreateOptions>, "key" | "rangeEnd"> = {},
  ): void {
    const { rangeEnd = "", ...rest } = more;
    const value = WatchCreateRequest.fromPartial({
      ...rest,
      key: Buffer.from(key),
      rangeEnd: Buffer.from(rangeEnd),
    });
    this.stream.write({ requestUnion: { $case: "createRequest", value } });
  }

  cancel(watchId: bigint): void {
    this.stream.write({ requestUnion: { $case: "cancelRequest", value: { watchId } } });
  }

  requestProgress(): void {
    this.stream.write({ requestUnion: { $case: "progressRequest", value: {} } });
  }

  /** A request that no version knows. */
  sendNothing(): void {
    this.stream.write({ requestUnion: undefined });
  }

  /** No more requests; the answers go on. */
  halfClose(): void {
    this.stream.end();
  }

  /** Stops taking bytes from the network; those on the way stay there. */
  stopReading(): void {
    this.stream.pause();
  }

  read(): void {
    this.stream.resume();
  }

  /** The next answer, in order. Fails when none comes. */
  async take(): Promise<WatchResponse> {
    const deadline = Date.now() + answerTimeoutMs;
    while (this.answers.length === 0) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no answer within ${answerTimeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.waiter = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.waiter = undefined;
    }
    return this.answers.shift()!;
  }

  async takeMany(count: number): Promise<readonly WatchResponse[]> {
    const taken: WatchResponse[] = [];
    while (taken.length < count) taken.push(await this.take());
    return taken;
  }

  /** Takes answers until they hold `count` events of any watch; the events as text (see `eventTexts`). */
  async takeEvents(count: number): Promise<readonly string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push(...eventTexts(await this.take()));
    return texts;
  }

  /** What came and was not taken. */
  get untaken(): readonly WatchResponse[] {
    return this.answers;
  }

  close(): void {
    this.stream.cancel();
  }
}

/** "key=value@revision" for a put, "-key@revision" for a delete, "!" in front of the pair before where it came. */
export function eventTexts(answer: WatchResponse): readonly string[] {
  return answer.events.map(({ type, kv, prevKv }) => {
    const key = Buffer.from(kv!.key).toString();
    const at = `@${kv!.modRevision}`;
    const text = type === Event_EventType.DELETE ? `-${key}${at}` : `${key}=${Buffer.from(kv!.value)}${at}`;
    return prevKv === undefined ? text : `${text}!${Buffer.from(prevKv.value)}@${prevKv.modRevision}`;
  });
}

/** The fields of an answer that say what it is. */
export function facts(answer: WatchResponse) {
  const { watchId, created, canceled, compactRevision, cancelReason } = answer;
  return { watchId, created, canceled, compactRevision, cancelReason };
}

/** An answer as the checker of watch histories takes it. */
export function recordedAnswer(answer: WatchResponse): RecordedAnswer {
  const { header, created, canceled, compactRevision, fragment, events } = answer;
  return {
    revision: Number(header!.revision),
    created,
    canceled,
    compactRevision: Number(compactRevision),
    fragment,
    events: events.map(({ type, kv, prevKv }) => ({
      kind: type === Event_EventType.DELETE ? "delete" : "put",
      pair: recordedPair(kv!),
      previous: prevKv === undefined ? undefined : recordedPair(prevKv),
    })),
  };
}

function recordedPair(pair: KeyValue): RecordedPair {
  return {
    key: Buffer.from(pair.key).toString("latin1"),
    value: Buffer.from(pair.value).toString("latin1"),
    createRevision: Number(pair.createRevision),
    modRevision: Number(pair.modRevision),
    version: Number(pair.version),
  };
}
