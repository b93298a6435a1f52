/** What tools are told that know the server by its reflection alone. */
import { describe, expect, test } from "vitest";
import { reflectionMethods } from "../../src/api/reflection.js";
import { fileDescriptors } from "../../src/gen/descriptors.js";
import { ServerReflectionRequest, ServerReflectionResponse } from "../../src/gen/reflection.js";
import type { BidiMethod, CallContext, RpcMethod } from "../../src/transport/rpc.js";

type Question = ServerReflectionRequest["messageRequest"];
type Answer = ServerReflectionResponse["messageResponse"];

const call: CallContext = {
  metadata: () => undefined,
  peer: "127.0.0.1:1",
  certificateCommonName: undefined,
  timeoutMs: undefined,
  onCancel: () => {},
  cancelled: false,
};

const served = ["/etcdserverpb.KV/Range", "/etcdserverpb.KV/Put", "/v3lockpb.Lock/Lock"].map(
  (path): RpcMethod => ({
    kind: "unary",
    path,
    decode: (bytes) => bytes,
    encode: (bytes) => bytes,
    handle: () => new Uint8Array(0),
  }),
);
const methods = reflectionMethods(served) as readonly BidiMethod<
  ServerReflectionRequest,
  ServerReflectionResponse
>[];

/** The answers to a stream of questions, through the codecs as a client's bytes would go. */
async function ask(...questions: Question[]): Promise<Answer[]> {
  const [method] = methods;
  const answers: Answer[] = [];
  async function* requests() {
    for (const messageRequest of questions) {
      const bytes = ServerReflectionRequest.encode({ host: "here", messageRequest }).finish();
      yield method!.decode(bytes);
    }
  }
  await method!.handle(requests(), call, {
    write: (response) => {
      expect(response.originalRequest?.messageRequest).toEqual(questions[answers.length]);
      const encoded = method!.encode(response) as Uint8Array;
      answers.push(ServerReflectionResponse.decode(encoded).messageResponse);
      return true;
    },
    drained: () => Promise.resolve(),
  });
  return answers;
}

function filesOf(answer: Answer): readonly string[] {
  if (answer?.$case !== "fileDescriptorResponse") throw new Error(`no file: ${JSON.stringify(answer)}`);
  return answer.value.fileDescriptorProto.map((bytes) => {
    const base64 = Buffer.from(bytes).toString("base64");
    return fileDescriptors.find((file) => file.base64 === base64)!.name;
  });
}

describe("reflection", () => {
  test("is served under both names that tools ask for", () => {
    expect(methods.map((method) => method.path)).toEqual([
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ]);
  });

  test("lists the services of this server once each, and every one of them can be described", async () => {
    const [answer] = await ask({ $case: "listServices", value: "" });
    if (answer?.$case !== "listServicesResponse") throw new Error("no list");
    const names = answer.value.service.map(({ name }) => name);
    expect(names).toEqual([
      "etcdserverpb.KV",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "v3lockpb.Lock",
    ]);
    for (const name of names) {
      const [described] = await ask({ $case: "fileContainingSymbol", value: name });
      const file = fileDescriptors.find((each) => each.name === filesOf(described).at(-1));
      expect(file?.services).toContain(name);
    }
  });

  test("gives a file with all that it needs, each before those that need it", async () => {
    const [answer] = await ask({
      $case: "fileContainingSymbol",
      value: "etcdserverpb.RangeRequest.SortOrder",
    });
    const names = filesOf(answer);
    expect(names.at(-1)).toBe("etcdserver.proto");
    expect(new Set(names).size).toBe(names.length);
    for (const [at, name] of names.entries()) {
      const { dependencies } = fileDescriptors.find((file) => file.name === name)!;
      for (const dependency of dependencies) expect(names.slice(0, at)).toContain(dependency);
    }
  });

  test("finds methods by symbol and files by name", async () => {
    const answers = await ask(
      { $case: "fileContainingSymbol", value: "etcdserverpb.Watch.Watch" },
      { $case: "fileByFilename", value: "kv.proto" },
    );
    expect(answers.map((answer) => filesOf(answer).at(-1))).toEqual(["etcdserver.proto", "kv.proto"]);
  });

  test("says what there is not, and goes on with the next question", async () => {
    const answers = await ask(
      { $case: "fileContainingSymbol", value: "etcdserverpb.Nope" },
      { $case: "fileByFilename", value: "nope.proto" },
      { $case: "fileContainingExtension", value: { containingType: "a.B", extensionNumber: 1 } },
      { $case: "allExtensionNumbersOfType", value: "etcdserverpb.PutRequest" },
      undefined,
    );
    expect(answers).toEqual([
      { $case: "errorResponse", value: { errorCode: 5, errorMessage: "not found: etcdserverpb.Nope" } },
      { $case: "errorResponse", value: { errorCode: 5, errorMessage: "not found: nope.proto" } },
      { $case: "errorResponse", value: { errorCode: 5, errorMessage: "there are no extensions" } },
      {
        $case: "allExtensionNumbersResponse",
        value: { baseTypeName: "etcdserverpb.PutRequest", extensionNumber: [] },
      },
      { $case: "errorResponse", value: { errorCode: 5, errorMessage: "there are no extensions" } },
    ]);
  });
});
