/**
 * The data directory before it is opened: made with mode 0700, writable, and not that of another program. A lock
 * against a second process is LevelDB's own, in member/store; the kernel frees it however the process ends.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../base/logger.js";
import { ConfigError } from "./flags/config-error.js";

/** "member": there is data of ours; "empty": a first start. */
export type DataDirState = "empty" | "member";

const privateMode = 0o700;

/**
 * Makes `dataDir` where it is not there, and looks at what is in it. Throws ConfigError where it can not be used:
 * not writable, or in the layout of etcd itself, which holds its data in bbolt and is never converted in place.
 */
export function prepareDataDir(dataDir: string, log: Logger): DataDirState {
  touchPrivateDir(dataDir, log);
  const names = readdirSync(dataDir).sort();
  for (const name of names) {
    if (name === "member" || name === "fixtures") continue;
    log.warn("server/data-dir", "found invalid file under data directory", {
      filename: name,
      "data-dir": dataDir,
    });
  }
  if (names.includes("proxy")) throw new ConfigError(`${dataDir} is of a proxy of etcd 2, not of a member`);
  if (existsSync(join(dataDir, "member", "snap", "db"))) {
    throw new ConfigError(
      `${dataDir} holds the data of an etcd (bbolt file member/snap/db), which can not be opened here; ` +
        "take a snapshot with etcdctl there, or choose another --data-dir",
    );
  }
  return names.includes("member") ? "member" : "empty";
}

/** Makes a directory that only its owner may enter, or checks one. Throws ConfigError. */
export function touchPrivateDir(path: string, log: Logger): void {
  try {
    if (existsSync(path)) {
      const mode = statSync(path).mode & 0o777;
      if (mode !== privateMode) {
        log.warn("server/data-dir", "check file permission", {
          error: `directory ${JSON.stringify(path)} has mode ${mode.toString(8)}; 700 keeps the data private`,
        });
      }
    } else {
      mkdirSync(path, { recursive: true, mode: privateMode });
    }
    const probe = join(path, ".touch");
    writeFileSync(probe, "", { mode: 0o600 });
    rmSync(probe);
  } catch (error) {
    throw new ConfigError(`cannot access data directory: ${(error as Error).message}`);
  }
}
