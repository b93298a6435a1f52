/** A connection without a network: a test sees what is sent, and says what comes back and when a stream breaks. */
import type { Connection, DuplexHandlers, DuplexStream } from "../../src/client/connection.js";
import { GrpcCode, QuorateClientError } from "../../src/client/errors.js";
import type { ClientMethod } from "../../src/client/method.js";

export function failure(code: GrpcCode, text = "it broke"): QuorateClientError {
  return new QuorateClientError(code, text, false, undefined);
}

export class FakeStream<Request, Response> {
  readonly sent: Request[] = [];
  isOver = false;
  hasLeftEndpoint = false;
  renewals = 0;

  constructor(
    private readonly handlers: DuplexHandlers<Response>,
    private readonly onSend: (stream: FakeStream<Request, Response>, request: Request) => void,
  ) {}

  answer(response: Response): void {
    if (!this.isOver) this.handlers.onMessage(response);
  }

  break(error = failure(GrpcCode.Unavailable)): void {
    if (this.isOver) return;
    this.isOver = true;
    this.handlers.onEnd(error);
  }

  get asClient(): DuplexStream<Request> {
    return {
      send: (request) => {
        if (this.isOver) return;
        this.sent.push(request);
        this.onSend(this, request);
      },
      cancel: () => {
        this.isOver = true;
      },
      leaveEndpoint: () => {
        this.hasLeftEndpoint = true;
      },
      renewToken: () => {
        this.renewals++;
        return true;
      },
    };
  }
}

export class FakeConnection<Request, Response> implements Connection {
  readonly callMs = 1_000;
  readonly streams: FakeStream<Request, Response>[] = [];
  /** What opening a stream fails with, while it is set. */
  refusal: QuorateClientError | undefined;
  private readonly movers: (() => void)[] = [];

  constructor(
    private readonly onSend: (stream: FakeStream<Request, Response>, request: Request) => void = () => {},
  ) {}

  get latest(): FakeStream<Request, Response> {
    return this.streams.at(-1)!;
  }

  duplex<Req, Res>(_: ClientMethod<Req, Res>, handlers: DuplexHandlers<Res>): Promise<DuplexStream<Req>> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    const stream = new FakeStream<Request, Response>(handlers as never, this.onSend);
    this.streams.push(stream);
    return Promise.resolve(stream.asClient as never);
  }

  onMove(listener: () => void): void {
    this.movers.push(listener);
  }

  move(): void {
    for (const mover of this.movers) mover();
  }

  unary(): Promise<never> {
    return Promise.reject(failure(GrpcCode.Unimplemented));
  }

  serverStream(): never {
    throw failure(GrpcCode.Unimplemented);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
