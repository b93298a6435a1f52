/**
 * Foreign programs written in Go that tests run: grpcurl, the load generator ghz, h2spec. go.mod beside this file
 * pins them, with all that they are made of.
 */
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDirectory, fingerprint, makeOnce, removeOld, run } from "../support/made-once.js";

export type GoTool = "ghz" | "grpcurl" | "h2spec";

const here = dirname(fileURLToPath(import.meta.url));

/** Path of one of them. Needs `go`, and the Go module proxy the first time. */
export async function goTool(name: GoTool): Promise<string> {
  const folderName = `go-tools-${fingerprint(here, ["go.mod", "go.sum"], process.arch)}`;
  const folder = join(cacheDirectory, folderName);
  await makeOnce(folder, async () => {
    const unfinished = `${folder}.new`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    await run("go", ["build", "-ldflags=-s -w", "-o", `${unfinished}/`, "tool"], here);
    await rename(unfinished, folder);
    await removeOld("go-tools-", folderName);
  });
  return join(folder, name);
}
