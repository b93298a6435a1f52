/**
 * A stream in both directions that is there as long as it is wanted: when it breaks, it is opened again, at
 * another endpoint where there is one. What was under way on the broken one is unknown; its user says it all
 * again in `onOpen`.
 */
import { limits } from "../base/limits.js";
import type { Connection, DuplexStream } from "./connection.js";
import { closedText, GrpcCode, isClientError, QuorateClientError } from "./errors.js";
import type { ClientMethod } from "./method.js";

export interface LastingStreamUser<Request, Response> {
  /** A new stream takes requests: nothing sent before counts. */
  onOpen(send: (request: Request) => void): void;
  onMessage(response: Response): void;
  /** It broke, and will be opened again after a pause. */
  onBroken(error: QuorateClientError): void;
  /** It broke in a way that opening it again would not mend; `start` tries anew. */
  onFailed(error: QuorateClientError): void;
}

/** After these, and after an end without an error, the next endpoint may do better. */
const passingCodes: readonly number[] = [GrpcCode.Unavailable, GrpcCode.Internal, GrpcCode.Canceled];

export class LastingStream<Request, Response> {
  private state: "stopped" | "opening" | "open" | "pausing" = "stopped";
  private stream: DuplexStream<Request> | undefined;
  /** Times in a row that it broke before it gave an answer. */
  private failures = 0;
  /** Tells callbacks of an abandoned stream from those of the present one. */
  private generation = 0;
  private pauseTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly connection: Connection,
    private readonly method: ClientMethod<Request, Response>,
    private readonly user: LastingStreamUser<Request, Response>,
  ) {
    // The connection moved to an endpoint that serves this client better.
    connection.onMove(() => this.reopen());
  }

  /** Opens it, unless it is open or about to be. */
  start(): void {
    if (this.state === "stopped") this.open();
  }

  /** False where there is no stream now: `onOpen` is then the time to send. */
  send(request: Request): boolean {
    if (this.state !== "open" || this.stream === undefined) return false;
    this.stream.send(request);
    return true;
  }

  /** Gives the present stream up, as one that does not answer, and goes to another endpoint. */
  giveUp(): void {
    this.stream?.leaveEndpoint();
    this.reopen();
  }

  /** Has the next stream use a new auth token. False where there is no other to be had. */
  renewToken(): boolean {
    if (this.stream?.renewToken() !== true) return false;
    const error = new QuorateClientError(GrpcCode.Unauthenticated, "auth token refused", false, undefined);
    this.abandon();
    this.pause(error);
    return true;
  }

  stop(): void {
    this.abandon();
    this.state = "stopped";
  }

  private reopen(): void {
    if (this.state !== "open") return;
    this.abandon();
    this.open();
  }

  private abandon(): void {
    this.generation++;
    clearTimeout(this.pauseTimer);
    this.stream?.cancel();
    this.stream = undefined;
  }

  private open(): void {
    this.state = "opening";
    const generation = ++this.generation;
    const isCurrent = (): boolean => generation === this.generation;
    const handlers = {
      onMessage: (response: Response): void => {
        if (!isCurrent()) return;
        this.failures = 0;
        this.user.onMessage(response);
      },
      onEnd: (error: QuorateClientError): void => {
        if (isCurrent()) this.broken(error);
      },
    };
    this.connection.duplex(this.method, handlers).then(
      (stream) => {
        if (!isCurrent()) return stream.cancel();
        this.stream = stream;
        this.state = "open";
        this.user.onOpen((request) => stream.send(request));
      },
      (error: QuorateClientError) => handlers.onEnd(error),
    );
  }

  private broken(error: QuorateClientError): void {
    const stream = this.stream;
    this.abandon();
    const isClosed: boolean = isClientError(error, GrpcCode.Canceled, closedText);
    const isPassing = !isClosed && passingCodes.includes(error.code);
    const hasNewToken = error.code === GrpcCode.Unauthenticated && stream?.renewToken() === true;
    if (isPassing || (hasNewToken && this.failures < limits.clientTokenRefusalsMax)) {
      this.pause(error);
      return;
    }
    this.state = "stopped";
    this.user.onFailed(error);
  }

  private pause(error: QuorateClientError): void {
    this.state = "pausing";
    const pauseMs = Math.min(limits.clientRetryPauseMs * this.failures, limits.clientReopenPauseMsMax);
    this.failures++;
    this.pauseTimer = setTimeout(() => this.open(), pauseMs);
    this.user.onBroken(error);
  }
}
