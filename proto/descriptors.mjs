/**
 * Writes src/gen/descriptors.ts: the descriptor of every file of proto/, for the reflection service.
 * Usage: node proto/descriptors.mjs [folder that holds src/gen]
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { BinaryReader } from "@bufbuild/protobuf/wire";

const root = resolve(import.meta.dirname, "..");
const target = resolve(process.argv[2] ?? root);

/** All files, and the reflection service once more under the name that older tools know: the package differs alone. */
function buildDescriptors() {
  const folder = mkdtempSync(join(tmpdir(), "descriptors-"));
  try {
    cpSync(join(root, "proto"), folder, { recursive: true });
    const reflection = readFileSync(join(folder, "reflection.proto"), "utf8");
    const older = reflection.replace("package grpc.reflection.v1;", "package grpc.reflection.v1alpha;");
    writeFileSync(join(folder, "reflection_v1alpha.proto"), older);
    return execFileSync(
      join(root, "node_modules/.bin/buf"),
      ["build", folder, "--exclude-source-info", "-o", "-#format=binpb"],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Fields of google.protobuf.FileDescriptorProto, DescriptorProto, EnumDescriptorProto and ServiceDescriptorProto. */
function* fields(bytes) {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) === 2) yield [tag >>> 3, reader.bytes()];
    else reader.skip(tag & 7);
  }
}
const text = (bytes) => new TextDecoder().decode(bytes);
const nameOf = (bytes) => text([...fields(bytes)].find(([number]) => number === 1)?.[1] ?? new Uint8Array(0));

function symbolsOf(scope, kind, bytes) {
  const name = `${scope}.${nameOf(bytes)}`;
  const inner = [];
  for (const [number, value] of fields(bytes)) {
    if (kind === "message" && number === 3) inner.push(...symbolsOf(name, "message", value));
    if (kind === "message" && number === 4) inner.push(...symbolsOf(name, "enum", value));
    if (kind === "service" && number === 2) inner.push(`${name}.${nameOf(value)}`);
  }
  return [name, ...inner];
}

const files = [...fields(buildDescriptors())].map(([, bytes]) => {
  const parts = [...fields(bytes)];
  const scope = text(parts.find(([number]) => number === 2)?.[1] ?? new Uint8Array(0));
  const kinds = { 4: "message", 5: "enum", 6: "service" };
  return {
    name: nameOf(bytes),
    dependencies: parts.filter(([number]) => number === 3).map(([, value]) => text(value)),
    services: parts.filter(([number]) => number === 6).map(([, value]) => `${scope}.${nameOf(value)}`),
    symbols: parts
      .filter(([number]) => kinds[number] !== undefined)
      .flatMap(([number, value]) => symbolsOf(scope, kinds[number], value)),
    base64: Buffer.from(bytes).toString("base64"),
  };
});

writeFileSync(
  join(target, "src/gen/descriptors.ts"),
  `// Written by proto/descriptors.mjs from proto/. Do not edit.

export interface FileDescriptor {
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly services: readonly string[];
  readonly symbols: readonly string[];
  /** google.protobuf.FileDescriptorProto */
  readonly base64: string;
}

export const fileDescriptors: readonly FileDescriptor[] = ${JSON.stringify(files, null, 2)};
`,
);
