import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { interpreterFlags, repositoryRoot } from "../support/server-binary.js";

const bundle = join(repositoryRoot, "dist/server/bundle.js");
const directory = join(repositoryRoot, "dist/bundle/server");

/** Whether V8 takes the code that the build kept for the program, under flags of the interpreter. */
function isTaken(flags: readonly string[]): boolean {
  const script = `
    const { loadProgram, readCode } = await import(${JSON.stringify(bundle)});
    const { cachedDataRejected } = loadProgram(${JSON.stringify(directory)}, readCode(${JSON.stringify(directory)}));
    process.stdout.write(String(cachedDataRejected));`;
  const text = execFileSync(process.execPath, [...flags, "--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  return text === "false";
}

test("bin/etcd starts with the code that the build kept, or each start would compile it again", () => {
  expect(isTaken(interpreterFlags(join(repositoryRoot, "bin/etcd")))).toBe(true);
});

test("under other flags V8 refuses the code, and the program starts without", () => {
  const flags = ["--no-warnings", "--max-semi-space-size=4"];
  expect(isTaken(flags)).toBe(false);
  const text = execFileSync(process.execPath, [...flags, join(directory, "main.js"), "--version"], {
    encoding: "utf8",
  });
  expect(text).toMatch(/^etcd Version: /);
});

test("a member does not read the certificates that NODE_EXTRA_CA_CERTS names: Node would complain of a file that is not there", () => {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: "/nonexistent/certificates.pem" };
  const run = (command: string, args: readonly string[]): string =>
    execFileSync("/bin/sh", ["-c", `"$@" 2>&1`, "sh", command, ...args], { encoding: "utf8", env });
  expect(run(join(repositoryRoot, "bin/etcd"), ["--version"])).toMatch(/^etcd Version: /);
});
