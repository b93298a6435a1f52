import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** A server that can be started with etcd's flags. */
export interface ServerBinary {
  readonly path: string;
  /** What it prints after "etcd Version:", such as "3.7.1". */
  readonly version: string;
  /** Whether it is the one of this repository. */
  readonly ours: boolean;
}

/** Why there is no such binary; the text stands in the titles of the tests that are left out. */
export interface Missing {
  readonly missing: string;
}

/** The full path of a program in the search path. */
export function findProgram(name: string): string | undefined {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const candidate = join(directory, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here: the next directory.
    }
  }
  return undefined;
}

/** The flags that our program's door (bin/etcd) at `path` gives the interpreter. */
export function interpreterFlags(path: string): readonly string[] {
  const [, flags] = /^exec node (.*) "\$here/m.exec(readFileSync(path, "utf8"))!;
  return flags!.split(" ");
}

/** What a server says of its own version; undefined where it can not be run. */
export function versionOf(path: string): string | undefined {
  return programVersion(path, "--version", /^etcd Version: (\S+)/);
}

/** The same of any program that tells it after `argument`. */
export function programVersion(path: string, argument: string, pattern: RegExp): string | undefined {
  try {
    const text = execFileSync(path, [argument], {
      encoding: "utf8",
      // An old etcdctl speaks etcd's second version unless it is told otherwise.
      env: { ...process.env, ETCDCTL_API: "3" },
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 10_000,
    });
    return pattern.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/** The server of this repository, as `npm run build` made it. */
export function ourBinary(): ServerBinary | Missing {
  const path = join(repositoryRoot, "bin/etcd");
  if (!existsSync(join(repositoryRoot, "dist"))) return { missing: "dist/ is missing, run npm run build" };
  const version = versionOf(path);
  return version === undefined ? { missing: "bin/etcd --version failed" } : { path, version, ours: true };
}

/** The same, for tests that are about it alone. Throws where there is none. */
export function requireOurBinary(): ServerBinary {
  const found = ourBinary();
  if ("missing" in found) throw new Error(found.missing);
  return found;
}

/** The etcd that QUORATE_COMPAT_ETCD names, else the one in the search path. */
export function etcdBinary(): ServerBinary | Missing {
  const path = process.env.QUORATE_COMPAT_ETCD ?? findProgram("etcd");
  if (path === undefined) return { missing: "etcd is not in PATH" };
  const version = versionOf(path);
  return version === undefined ? { missing: `${path} --version failed` } : { path, version, ours: false };
}

/** True where `version` is at least `major.minor`; undefined, of a program that is not there, is not. */
export function isAtLeast(version: string | undefined, major: number, minor: number): boolean {
  const [hasMajor = 0, hasMinor = 0] = (version ?? "").split(".").map(Number);
  return hasMajor > major || (hasMajor === major && hasMinor >= minor);
}
