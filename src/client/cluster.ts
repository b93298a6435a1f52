/** The Cluster service: who the members are. */
import {
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberPromoteResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
} from "../gen/etcdserver.js";
import type { Connection } from "./connection.js";
import { clientMethod } from "./method.js";
import type { CallOptions } from "./options.js";

const service = "/etcdserverpb.Cluster";
const listMethod = clientMethod(`${service}/MemberList`, "read", MemberListRequest, MemberListResponse);
const addMethod = clientMethod(`${service}/MemberAdd`, "write", MemberAddRequest, MemberAddResponse);
const removeMethod = clientMethod(
  `${service}/MemberRemove`,
  "write",
  MemberRemoveRequest,
  MemberRemoveResponse,
);
const updateMethod = clientMethod(
  `${service}/MemberUpdate`,
  "write",
  MemberUpdateRequest,
  MemberUpdateResponse,
);
const promoteMethod = clientMethod(
  `${service}/MemberPromote`,
  "write",
  MemberPromoteRequest,
  MemberPromoteResponse,
);

export class Cluster {
  constructor(private readonly connection: Connection) {}

  /** All members, started or not. `serializable`: what the member asked knows, also without a leader. */
  memberList(
    options: CallOptions & { readonly serializable?: boolean | undefined } = {},
  ): Promise<MemberListResponse> {
    const request = { linearizable: options.serializable !== true };
    return this.connection.unary(listMethod, request, options);
  }

  /** Adds a member that will listen to its peers at `peerUrls`; `learner`: without a vote until promoted. */
  memberAdd(
    peerUrls: readonly string[],
    options: CallOptions & { readonly learner?: boolean | undefined } = {},
  ): Promise<MemberAddResponse> {
    const request = { peerURLs: [...peerUrls], isLearner: options.learner === true };
    return this.connection.unary(addMethod, request, options);
  }

  /** Removes a member for good: its id never comes back. Errors: MemberNotFound, MemberNotEnoughStarted. */
  memberRemove(id: bigint, options: CallOptions = {}): Promise<MemberRemoveResponse> {
    return this.connection.unary(removeMethod, { ID: id }, options);
  }

  /** Tells the cluster where a member's peers find it from now on. */
  memberUpdate(
    id: bigint,
    peerUrls: readonly string[],
    options: CallOptions = {},
  ): Promise<MemberUpdateResponse> {
    return this.connection.unary(updateMethod, { ID: id, peerURLs: [...peerUrls] }, options);
  }

  /** Gives a learner its vote. Errors: MemberNotLearner, LearnerNotReady. */
  memberPromote(id: bigint, options: CallOptions = {}): Promise<MemberPromoteResponse> {
    return this.connection.unary(promoteMethod, { ID: id }, options);
  }
}
