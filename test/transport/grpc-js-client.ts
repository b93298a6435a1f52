/** The @grpc/grpc-js client over raw bytes, with promises. */
import {
  type CallOptions,
  ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";

const same = (bytes: Buffer): Buffer => bytes;

export class GrpcJsClient {
  readonly client: Client;

  constructor(port: number, options: ClientOptions = {}, credentials = ChannelCredentials.createInsecure()) {
    this.client = new Client(`127.0.0.1:${port}`, credentials, {
      "grpc.max_receive_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  unary(
    name: string,
    request: Uint8Array,
    options: CallOptions = {},
    metadata = new Metadata(),
  ): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const path = name.startsWith("/") ? name : `/test.Test/${name}`;
      const done = (error: ServiceError | null, response?: Buffer): void => {
        if (error !== null) reject(error);
        else resolve(response!);
      };
      this.client.makeUnaryRequest(path, same, same, Buffer.from(request), metadata, options, done);
    });
  }

  serverStream(name: string, request: Uint8Array, options: CallOptions = {}): ClientReadableStream<Buffer> {
    return this.client.makeServerStreamRequest(
      `/test.Test/${name}`,
      same,
      same,
      Buffer.from(request),
      options,
    );
  }

  bidi(
    name: string,
    options: CallOptions = {},
    metadata = new Metadata(),
  ): ClientDuplexStream<Buffer, Buffer> {
    return this.client.makeBidiStreamRequest(`/test.Test/${name}`, same, same, metadata, options);
  }

  close(): void {
    this.client.close();
  }
}

/** All messages of a stream; rejects with its status. */
export function collect(
  stream: ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>,
): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const messages: Buffer[] = [];
    stream.on("data", (message: Buffer) => messages.push(message));
    stream.on("error", reject);
    stream.on("end", () => resolve(messages));
  });
}
