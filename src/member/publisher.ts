/**
 * Says through the log who this member is (name, client URLs), and, while it leads, which version the cluster
 * speaks. Tried again until it stands in the log.
 */
import { RequestField } from "../apply/raft-request.js";
import type { MemberId } from "../base/brand.js";
import { StoreError } from "../base/errors.js";
import { failpoints } from "../base/failpoint.js";
import type { Logger } from "../base/logger.js";
import { ClusterMemberAttrSetRequest, ClusterVersionSetRequest } from "../gen/membership.js";
import type { Member } from "./contract.js";

const caller = "member/publisher";

export interface PublisherOptions {
  readonly memberId: MemberId;
  readonly name: string;
  readonly clientUrls: readonly string[];
  /** What the cluster agrees on when this member leads it first: "3.7.0". */
  readonly clusterVersion: string;
}

export class Publisher {
  private stopped = false;

  constructor(
    private readonly options: PublisherOptions,
    private readonly deps: { readonly member: Member; readonly logger: Logger },
  ) {}

  /** Resolves when both stand in the log, or after `stop`. */
  async run(): Promise<void> {
    failpoints.beforePublishing?.();
    await this.until(
      () => this.isPublished(),
      () => this.publish(),
    );
    await this.until(
      () => this.deps.member.status().clusterVersion !== undefined,
      () => this.setVersion(),
    );
  }

  stop(): void {
    this.stopped = true;
  }

  private async until(done: () => boolean, attempt: () => Promise<void>): Promise<void> {
    while (!this.stopped) {
      try {
        // Waits until there is a leader, and sees what it has.
        await this.deps.member.linearize({ timeoutMs: undefined });
        if (done()) return;
        await attempt();
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (!this.stopped)
          this.deps.logger.warn(caller, "failed to publish local member; retrying", { error: error.message });
      }
    }
  }

  private isPublished(): boolean {
    const own = this.deps.member.members().find(({ id }) => id === this.options.memberId);
    return own?.name === this.options.name && own.clientUrls.join() === this.options.clientUrls.join();
  }

  private async publish(): Promise<void> {
    const { memberId, name, clientUrls } = this.options;
    const body = ClusterMemberAttrSetRequest.encode({
      memberID: memberId,
      memberAttributes: { name, clientUrls: [...clientUrls] },
    }).finish();
    await this.deps.member.propose(RequestField.ClusterMemberAttrSet, body, { timeoutMs: undefined });
    this.deps.logger.info(caller, "published local member to cluster through raft", {
      "local-member-id": memberId.toString(16),
    });
  }

  /** Two members that see no version at once set the same one: harmless. */
  private async setVersion(): Promise<void> {
    const { clusterVersion } = this.options;
    const body = ClusterVersionSetRequest.encode({ ver: clusterVersion }).finish();
    await this.deps.member.propose(RequestField.ClusterVersionSet, body, { timeoutMs: undefined });
    this.deps.logger.info(caller, "set cluster version", { "cluster-version": clusterVersion });
  }
}
