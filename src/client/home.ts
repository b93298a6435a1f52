/**
 * Brings a client back to its home endpoint after it had to leave it: without this, the member that was restarted
 * last would have no clients, and the others all of them. The home must first answer a linearizable read, so that
 * nobody returns to a member that is there but cut off from its cluster.
 */
import { limits } from "../base/limits.js";
import { RangeRequest, RangeResponse } from "../gen/etcdserver.js";
import { zeroByte } from "./bytes.js";
import type { ChannelSet } from "./channel.js";
import type { Connection } from "./connection.js";
import { GrpcCode, isClientError } from "./errors.js";
import { clientMethod } from "./method.js";

/** As a write, so that its failure is not covered up by an answer after a repetition. */
const probeMethod = clientMethod("/etcdserverpb.KV/Range", "write", RangeRequest, RangeResponse);

export class HomeKeeper {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;

  constructor(
    private readonly channels: Pick<ChannelSet, "homeToReturnTo" | "returnHome">,
    private readonly connection: Pick<Connection, "unary">,
    /** The endpoint in use has become the home again. */
    private readonly onReturn: () => void,
  ) {}

  /** To be called when the endpoint in use may have changed. */
  check(): void {
    if (this.stopped || this.timer !== undefined || this.channels.homeToReturnTo === undefined) return;
    // Not exactly on time, so that the clients of a member do not come back all at once.
    const waitMs = limits.clientHomeCheckMs * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => void this.tryReturn(), waitMs);
    this.timer.unref();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async tryReturn(): Promise<void> {
    const home = this.channels.homeToReturnTo;
    const isWell = home !== undefined && (await this.isWell(home.endpoint.name));
    this.timer = undefined;
    if (this.stopped) return;
    if (isWell) {
      this.channels.returnHome();
      this.onReturn();
    } else this.check();
  }

  private async isWell(endpoint: string): Promise<boolean> {
    try {
      const request = RangeRequest.create({ key: zeroByte, countOnly: true });
      await this.connection.unary(probeMethod, request, { endpoint });
      return true;
    } catch (error) {
      // Known after a linearizable look at the permissions.
      return isClientError(error, GrpcCode.PermissionDenied);
    }
  }
}
