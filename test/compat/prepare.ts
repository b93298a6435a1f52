/**
 * What the foreign clients need before they can run: the Go tests compiled, a Python with its client. Every function
 * is quick when the work is done, and safe to call from two processes at once.
 */
import { readdirSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDirectory, fingerprint, makeOnce, removeOld, run } from "../support/made-once.js";

const here = dirname(fileURLToPath(import.meta.url));
export const goDirectory = join(here, "go");
export const pythonDirectory = join(here, "python");

/** Path of the compiled Go tests. Needs `go`, and the Go module proxy the first time. */
export async function goTestBinary(): Promise<string> {
  const sources = readdirSync(goDirectory).filter((name) => /\.(go|mod|sum)$/.test(name));
  const name = `go-compat-${fingerprint(goDirectory, sources, process.arch)}`;
  const binary = join(cacheDirectory, name);
  await makeOnce(binary, async () => {
    await run("go", ["test", "-c", "-o", `${binary}.new`, "."], goDirectory);
    await rename(`${binary}.new`, binary);
    await removeOld("go-compat-", name);
  });
  return binary;
}

/** Path of a Python that has the packages of python/requirements.txt. Needs `python3`, and PyPI the first time. */
export async function pythonInterpreter(): Promise<string> {
  const name = `python-${fingerprint(pythonDirectory, ["requirements.txt"], process.arch)}`;
  const environment = join(cacheDirectory, name);
  const ready = join(environment, "ready");
  await mkdir(cacheDirectory, { recursive: true });
  await makeOnce(`${environment}.ready`, async () => {
    await rm(environment, { recursive: true, force: true });
    await run("python3", ["-m", "venv", environment], pythonDirectory);
    const requirements = join(pythonDirectory, "requirements.txt");
    await run(
      join(environment, "bin/python"),
      ["-m", "pip", "install", "--quiet", "--requirement", requirements],
      here,
    );
    await mkdir(ready);
    await rename(ready, `${environment}.ready`);
    await removeOld("python-", name);
  });
  return join(environment, "bin/python");
}
