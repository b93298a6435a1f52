/** Codecs of the rpcs whose speed does not matter: the generated ones, seen as a MethodCodec. */
import type { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { ProtoError } from "../base/protowire.js";
import type { MethodCodec } from "../transport/rpc.js";

interface GeneratedMessage<Message> {
  encode(message: Message, writer?: BinaryWriter): BinaryWriter;
  decode(input: BinaryReader | Uint8Array, length?: number): Message;
}

export function generatedCodec<Request, Response>(
  request: GeneratedMessage<Request>,
  response: GeneratedMessage<Response>,
): MethodCodec<Request, Response> {
  return {
    decode: (bytes) => {
      try {
        return request.decode(bytes);
      } catch (error) {
        // The generated code throws plain errors on malformed bytes, and on nothing else.
        throw new ProtoError(error instanceof Error ? error.message : String(error));
      }
    },
    encode: (message) => response.encode(message).finish(),
  };
}
