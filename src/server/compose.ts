/** Builds one member from its configuration. */
import type { Logger } from "../base/logger.js";
import type { ServerConfig } from "./flags/server-config.js";

export interface RunningServer {
  /** Resolves when a leader is known and the client port answers. */
  readonly ready: Promise<void>;
  /** Hands leadership over, finishes what is in hand, closes everything. */
  stop(): Promise<void>;
  /** Resolves with the reason when the member can not go on; never without one. */
  readonly failed: Promise<Error>;
}

export async function startServer(config: ServerConfig, _log: Logger): Promise<RunningServer> {
  throw new Error(`member ${config.name} can not be composed yet`);
}
