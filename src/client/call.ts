/** One call on one channel, in the words of this client: its errors, its abort signal, its deadline. */
import type {
  ClientDuplexStream,
  ClientReadableStream,
  Metadata,
  ServiceError,
  StatusObject,
} from "@grpc/grpc-js";
import type { EndpointChannel } from "./channel.js";
import type { DuplexHandlers, DuplexStream } from "./connection.js";
import { closedText, GrpcCode, QuorateClientError } from "./errors.js";
import type { ClientMethod } from "./method.js";
import type { CallOptions } from "./options.js";

/** Where a call goes, and what goes with it. */
export interface Sent {
  readonly channel: EndpointChannel;
  readonly metadata: Metadata;
  readonly token: Promise<string | undefined>;
}

export function unsent(code: GrpcCode, text: string): QuorateClientError {
  return new QuorateClientError(code, text, false, undefined);
}

/** Errors that are none of the library's own become `Internal`, so that callers see one class only. */
export function asFinal(error: unknown): QuorateClientError {
  if (error instanceof QuorateClientError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new QuorateClientError(GrpcCode.Internal, text, true, undefined);
}

/** The codes after which nobody but the server knows whether a write happened. */
const unknownFateCodes: readonly number[] = [
  GrpcCode.Canceled,
  GrpcCode.Unknown,
  GrpcCode.DeadlineExceeded,
  GrpcCode.Internal,
  GrpcCode.Unavailable,
];

function toClientError(
  error: ServiceError,
  method: { readonly repeatable: boolean },
  sent: Sent,
): QuorateClientError {
  // The library's words for a call that found no connection to be written to.
  const neverSent =
    error.code === GrpcCode.Unavailable && error.details.startsWith("No connection established");
  const unknownFate = !method.repeatable && !neverSent && unknownFateCodes.includes(error.code);
  const endpoint = sent.channel.endpoint.name;
  return new QuorateClientError(error.code as GrpcCode, error.details, unknownFate, endpoint);
}

export function sendUnary<Request, Response>(
  method: ClientMethod<Request, Response>,
  request: Request,
  sent: Sent,
  deadlineMs: number,
  signal: CallOptions["signal"],
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const call = sent.channel.client.makeUnaryRequest<Request, Response>(
      method.path,
      method.encode,
      method.decode,
      request,
      sent.metadata,
      { deadline: deadlineMs },
      (error, response) => {
        signal?.removeEventListener("abort", onAbort);
        if (error !== null) reject(toClientError(error, method, sent));
        else resolve(response!);
      },
    );
    const onAbort = (): void => call.cancel();
    if (signal?.aborted === true) call.cancel();
    else signal?.addEventListener("abort", onAbort);
  });
}

export async function* openStream<Request, Response>(
  method: ClientMethod<Request, Response>,
  request: Request,
  sent: Sent,
  deadlineMs: number,
  signal: CallOptions["signal"],
  openStreams: Set<() => void>,
): AsyncGenerator<Response, void, undefined> {
  const call: ClientReadableStream<Response> = sent.channel.client.makeServerStreamRequest(
    method.path,
    method.encode,
    method.decode,
    request,
    sent.metadata,
    { deadline: deadlineMs },
  );
  const onAbort = (): void => call.cancel();
  openStreams.add(onAbort);
  if (signal?.aborted === true) call.cancel();
  else signal?.addEventListener("abort", onAbort);
  try {
    for await (const response of call) yield response as Response;
  } catch (error) {
    throw isServiceError(error) ? toClientError(error, method, sent) : error;
  } finally {
    openStreams.delete(onAbort);
    signal?.removeEventListener("abort", onAbort);
    call.cancel();
  }
}

/** The `end` of a stream that is closed with its client is in `openStreams` as long as it is open. */
export function openDuplex<Request, Response>(
  method: ClientMethod<Request, Response>,
  sent: Sent,
  openStreams: Set<() => void>,
  handlers: DuplexHandlers<Response>,
): Pick<DuplexStream<Request>, "send" | "cancel"> {
  const call: ClientDuplexStream<Request, Response> = sent.channel.client.makeBidiStreamRequest(
    method.path,
    method.encode,
    method.decode,
    sent.metadata,
  );
  let isOver = false;
  const finish = (error: QuorateClientError | undefined): void => {
    if (isOver) return;
    isOver = true;
    openStreams.delete(onClose);
    call.cancel();
    if (error !== undefined) handlers.onEnd(error);
  };
  const onClose = (): void => finish(unsent(GrpcCode.Canceled, closedText));
  openStreams.add(onClose);
  call.on("data", (response: Response) => {
    if (!isOver) handlers.onMessage(response);
  });
  // The status has what the error has, and comes for good ends too.
  call.on("error", () => {});
  call.on("status", ({ code, details }: StatusObject) => {
    const { name } = sent.channel.endpoint;
    const ended = code === 0;
    const text = ended ? "the server ended the stream" : details;
    finish(new QuorateClientError(ended ? GrpcCode.Unavailable : (code as GrpcCode), text, false, name));
  });
  return {
    send: (request) => void (isOver || call.write(request)),
    cancel: () => finish(undefined),
  };
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}
