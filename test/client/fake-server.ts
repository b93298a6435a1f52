/** A gRPC server that answers as a test says, and counts what it was asked. */
import { type Metadata, Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import {
  AuthenticateRequest,
  AuthenticateResponse,
  type MessageFns,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
} from "../../src/gen/etcdserver.js";

export interface RpcFailure {
  readonly code: number;
  readonly details: string;
}

export interface Answers {
  put?(request: PutRequest, metadata: Metadata): PutResponse | RpcFailure | "never";
  range?(request: RangeRequest, metadata: Metadata): RangeResponse | RpcFailure | "never";
  /** Pieces, and how the stream ends. */
  rangeStream?(): { readonly pieces: readonly RangeStreamResponse[]; readonly end: RpcFailure | undefined };
  authenticate?(request: AuthenticateRequest): AuthenticateResponse | RpcFailure;
}

export interface FakeServer {
  readonly endpoint: string;
  readonly asked: { put: number; range: number; rangeStream: number; authenticate: number };
  stop(): void;
}

function method<Request, Response>(
  path: string,
  request: MessageFns<Request>,
  response: MessageFns<Response>,
  responseStream: boolean,
) {
  return {
    path,
    requestStream: false,
    responseStream,
    requestSerialize: (message: Request) => Buffer.from(request.encode(message).finish()),
    requestDeserialize: (bytes: Buffer) => request.decode(bytes),
    responseSerialize: (message: Response) => Buffer.from(response.encode(message).finish()),
    responseDeserialize: (bytes: Buffer) => response.decode(bytes),
  };
}

const service: ServiceDefinition = {
  put: method("/etcdserverpb.KV/Put", PutRequest, PutResponse, false),
  range: method("/etcdserverpb.KV/Range", RangeRequest, RangeResponse, false),
  rangeStream: method("/etcdserverpb.KV/RangeStream", RangeRequest, RangeStreamResponse, true),
  authenticate: method("/etcdserverpb.Auth/Authenticate", AuthenticateRequest, AuthenticateResponse, false),
};

function isFailure(answer: object): answer is RpcFailure {
  return "code" in answer && "details" in answer;
}

interface Call<Request> {
  readonly request: Request;
  readonly metadata: Metadata;
}
type Reply = (error: RpcFailure | null, response?: unknown) => void;

export async function startFakeServer(answers: Answers): Promise<FakeServer> {
  const asked = { put: 0, range: 0, rangeStream: 0, authenticate: 0 };
  const reply = (answer: object | "never" | undefined, callback: Reply): void => {
    if (answer === "never") return;
    if (answer === undefined) callback({ code: 12, details: "the test gave no answer" });
    else if (isFailure(answer)) callback(answer);
    else callback(null, answer);
  };
  const server = new Server();
  server.addService(service, {
    put(call: Call<PutRequest>, callback: Reply) {
      asked.put++;
      reply(answers.put?.(call.request, call.metadata), callback);
    },
    range(call: Call<RangeRequest>, callback: Reply) {
      asked.range++;
      reply(answers.range?.(call.request, call.metadata), callback);
    },
    authenticate(call: Call<AuthenticateRequest>, callback: Reply) {
      asked.authenticate++;
      reply(answers.authenticate?.(call.request), callback);
    },
    rangeStream(call: {
      write(piece: unknown): void;
      end(): void;
      emit(event: "error", error: unknown): void;
    }) {
      asked.rangeStream++;
      const { pieces, end } = answers.rangeStream!();
      for (const piece of pieces) call.write(piece);
      if (end === undefined) call.end();
      else call.emit("error", end);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { endpoint: `127.0.0.1:${port}`, asked, stop: () => server.forceShutdown() };
}
