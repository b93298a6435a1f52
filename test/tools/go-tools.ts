/**
 * Foreign programs written in Go that tests run. Each folder beside this file is one Go module, which pins its
 * programs with all that they are made of: `clients` has grpcurl, the load generator ghz and h2spec; `etcd` has etcd
 * and etcdctl of the release whose behaviour is ours, and with them etcd-raft's sources.
 */
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDirectory, fingerprint, makeOnce, removeOld, run } from "../support/made-once.js";
import { findProgram, type Missing, type ServerBinary, versionOf } from "../support/server-binary.js";

const here = dirname(fileURLToPath(import.meta.url));

/** Where a program comes from, and what `go build` calls it. */
const tools = {
  ghz: { module: "clients", file: "ghz" },
  grpcurl: { module: "clients", file: "grpcurl" },
  h2spec: { module: "clients", file: "h2spec" },
  etcd: { module: "etcd", file: "server" },
  etcdctl: { module: "etcd", file: "etcdctl" },
} as const;
export type GoTool = keyof typeof tools;

/** Path of one of them. Needs `go`, and the Go module proxy the first time. */
export async function goTool(name: GoTool): Promise<string> {
  const { module, file } = tools[name];
  const source = join(here, module);
  const folderName = `go-${module}-${fingerprint(source, ["go.mod", "go.sum"], process.arch)}`;
  const folder = join(cacheDirectory, folderName);
  await makeOnce(folder, async () => {
    const unfinished = `${folder}.new`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    await run("go", ["build", "-ldflags=-s -w", "-o", `${unfinished}/`, "tool"], source);
    await rename(unfinished, folder);
    await removeOld(`go-${module}-`, folderName);
  });
  return join(folder, file);
}

/** Folder with the sources of a module that etcd is made of. Needs `go`, and the proxy the first time. */
export async function goModuleSources(path: string): Promise<string> {
  const source = join(here, "etcd");
  await run("go", ["mod", "download", path], source);
  return (await run("go", ["list", "-m", "-f", "{{.Dir}}", path], source)).trim();
}

/** The etcd of `etcd/go.mod`. */
export async function pinnedEtcdBinary(): Promise<ServerBinary | Missing> {
  if (findProgram("go") === undefined) return { missing: "go is not in PATH" };
  const path = await goTool("etcd");
  const version = versionOf(path);
  return version === undefined ? { missing: `${path} --version failed` } : { path, version, ours: false };
}
