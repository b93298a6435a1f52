/**
 * gRPC server reflection, so that tools like grpcurl need no files. Versions v1 and v1alpha differ in name only.
 * Only services that this server has are listed.
 */
import { type FileDescriptor, fileDescriptors } from "../gen/descriptors.js";
import { ServerReflectionRequest, ServerReflectionResponse } from "../gen/reflection.js";
import { type RpcMethod, StatusCode } from "../transport/rpc.js";
import { generatedCodec } from "./generated-codec.js";

type Answer = ServerReflectionResponse["messageResponse"];

const byName = new Map(fileDescriptors.map((file) => [file.name, file]));
const bySymbol = new Map(
  fileDescriptors.flatMap((file) => file.symbols.map((symbol) => [symbol, file] as const)),
);

/** `served`: the methods of this server, of which the services are listed. */
export function reflectionMethods(served: readonly RpcMethod[]): readonly RpcMethod[] {
  const services = servicesOf(served);
  return ["grpc.reflection.v1", "grpc.reflection.v1alpha"].map(
    (scope): RpcMethod => ({
      kind: "bidi",
      path: `/${scope}.ServerReflection/ServerReflectionInfo`,
      ...generatedCodec(ServerReflectionRequest, ServerReflectionResponse),
      handle: async (requests, _call, sink) => {
        for await (const request of requests) {
          const response = {
            validHost: request.host,
            originalRequest: request,
            messageResponse: answer(request, services),
          };
          if (!sink.write(response)) await sink.drained();
        }
      },
    }),
  );
}

function servicesOf(served: readonly RpcMethod[]): readonly string[] {
  const names = new Set(served.map(({ path }) => path.slice(1, path.lastIndexOf("/"))));
  return [...names, "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"].sort();
}

function answer(request: ServerReflectionRequest, services: readonly string[]): Answer {
  const question = request.messageRequest;
  switch (question?.$case) {
    case "listServices":
      return { $case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } };
    case "fileByFilename":
      return fileAnswer(byName.get(question.value), question.value);
    case "fileContainingSymbol":
      return fileAnswer(bySymbol.get(question.value), question.value);
    case "allExtensionNumbersOfType":
      return {
        $case: "allExtensionNumbersResponse",
        value: { baseTypeName: question.value, extensionNumber: [] },
      };
    default:
      return failure(StatusCode.NotFound, "there are no extensions");
  }
}

/** The file and everything that it needs, dependencies first. */
function fileAnswer(file: FileDescriptor | undefined, asked: string): Answer {
  if (file === undefined) return failure(StatusCode.NotFound, `not found: ${asked}`);
  const gathered = new Map<string, FileDescriptor>();
  gather(file, gathered);
  const fileDescriptorProto = [...gathered.values()].map(({ base64 }) => Buffer.from(base64, "base64"));
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function gather(file: FileDescriptor, into: Map<string, FileDescriptor>): void {
  if (into.has(file.name)) return;
  for (const name of file.dependencies) {
    const dependency = byName.get(name);
    if (dependency !== undefined) gather(dependency, into);
  }
  into.set(file.name, file);
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}
