/** The Election service: candidates for a name lead it in the order in which they came (see lease-keys.ts). */
import type { LeaseId, Revision } from "../base/brand.js";
import { emptyBytes } from "../base/bytes.js";
import {
  CampaignRequest,
  CampaignResponse,
  type LeaderKey,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from "../gen/election.js";
import { type Event, Event_EventType, KeyValue } from "../gen/kv.js";
import type { Member, ProposeOptions } from "../member/contract.js";
import {
  type CallContext,
  type ResponseSink,
  type RpcMethod,
  RpcStatus,
  type ServerStreamMethod,
  StatusCode,
  type UnaryMethod,
} from "../transport/rpc.js";
import { asUnknown } from "./error-table.js";
import { generatedCodec } from "./generated-codec.js";
import { generatedHeader } from "./header.js";
import { KeyEventReader } from "./key-events.js";
import type { LeaseOptions } from "./lease.js";
import {
  candidateKey,
  candidates,
  deleteOp,
  enter,
  firstCreated,
  ifCreatedAt,
  leaseFor,
  putOp,
  waitForTurn,
} from "./lease-keys.js";

export function electionMethods(member: Member, options: LeaseOptions): readonly RpcMethod[] {
  return [
    campaignMethod(member, options),
    proclaimMethod(member, options),
    leaderMethod(member),
    observeMethod(member),
    resignMethod(member),
  ];
}

function notLeader(): Error {
  return new RpcStatus(StatusCode.Unknown, "election: not leader");
}

function campaignMethod(
  member: Member,
  options: LeaseOptions,
): UnaryMethod<CampaignRequest, CampaignResponse> {
  return {
    kind: "unary",
    path: "/v3electionpb.Election/Campaign",
    ...generatedCodec(CampaignRequest, CampaignResponse),
    handle: (request, call) => asUnknown(() => campaign(member, request, options, call)),
  };
}

async function campaign(
  member: Member,
  { name, lease: given, value }: CampaignRequest,
  options: LeaseOptions,
  call: CallContext,
): Promise<CampaignResponse> {
  const lease = await leaseFor(member, given, options, call);
  const key = candidateKey(name, lease);
  const entered = await enter(member, { key, value, lease }, call);
  const { createRevision } = entered;
  try {
    if (!entered.isNew && !sameBytes(entered.value, value)) {
      await proclaim(member, { key, createRevision, lease, value }, call);
    }
    await waitForTurn(member, candidates(name), { key, createRevision }, call, notLeader);
  } catch (error) {
    await resign(member, key, createRevision, { timeoutMs: undefined });
    throw error;
  }
  return {
    header: generatedHeader(member, entered.revision),
    leader: { name, key, rev: BigInt(createRevision), lease },
  };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

interface Proclamation {
  readonly key: Uint8Array;
  readonly createRevision: Revision;
  readonly lease: LeaseId;
  readonly value: Uint8Array;
}

/** Gives the revision of it. */
async function proclaim(
  member: Member,
  { key, createRevision, lease, value }: Proclamation,
  call: ProposeOptions,
): Promise<Revision> {
  const result = await ifCreatedAt(member, key, createRevision, { met: putOp(key, value, lease) }, call);
  if (!result.succeeded) throw notLeader();
  return result.revision;
}

/** One who does not lead any more has nothing to resign from, and that is well. */
async function resign(
  member: Member,
  key: Uint8Array,
  createRevision: Revision,
  call: ProposeOptions,
): Promise<Revision> {
  return (await ifCreatedAt(member, key, createRevision, { met: deleteOp(key) }, call)).revision;
}

function proclaimMethod(
  member: Member,
  options: LeaseOptions,
): UnaryMethod<ProclaimRequest, ProclaimResponse> {
  return {
    kind: "unary",
    path: "/v3electionpb.Election/Proclaim",
    ...generatedCodec(ProclaimRequest, ProclaimResponse),
    handle: ({ leader, value }, call) =>
      asUnknown(async () => {
        const { key, rev, lease: given } = provided(leader);
        const lease = await leaseFor(member, given, options, call);
        const revision = await proclaim(member, { key, createRevision: Number(rev), lease, value }, call);
        return { header: generatedHeader(member, revision) };
      }),
  };
}

function resignMethod(member: Member): UnaryMethod<ResignRequest, ResignResponse> {
  return {
    kind: "unary",
    path: "/v3electionpb.Election/Resign",
    ...generatedCodec(ResignRequest, ResignResponse),
    handle: ({ leader }, call) =>
      asUnknown(async () => {
        const { key, rev } = provided(leader);
        return { header: generatedHeader(member, await resign(member, key, Number(rev), call)) };
      }),
  };
}

function provided(leader: LeaderKey | undefined): LeaderKey {
  if (leader === undefined) throw new RpcStatus(StatusCode.Unknown, '"leader" field must be provided');
  return leader;
}

function leaderMethod(member: Member): UnaryMethod<LeaderRequest, LeaderResponse> {
  return {
    kind: "unary",
    path: "/v3electionpb.Election/Leader",
    ...generatedCodec(LeaderRequest, LeaderResponse),
    handle: ({ name }, call) =>
      asUnknown(async () => {
        await member.linearize(call);
        const { kvs, revision } = firstCreated(member, candidates(name));
        if (kvs[0] === undefined) throw new RpcStatus(StatusCode.Unknown, "election: no leader");
        return { header: generatedHeader(member, revision), kv: KeyValue.decode(kvs[0]) };
      }),
  };
}

function observeMethod(member: Member): ServerStreamMethod<LeaderRequest, LeaderResponse> {
  return {
    kind: "serverStream",
    path: "/v3electionpb.Election/Observe",
    ...generatedCodec(LeaderRequest, LeaderResponse),
    handle: ({ name }, call, sink) => asUnknown(() => new Observation(member, name, call, sink).run()),
  };
}

/** Tells one client of everything that the leaders of a name proclaim, from the present one on. */
class Observation {
  constructor(
    private readonly member: Member,
    private readonly name: Uint8Array,
    private readonly call: CallContext,
    private readonly sink: ResponseSink<LeaderResponse>,
  ) {}

  /** Ends when the client is gone: RpcStatus Canceled. */
  async run(): Promise<void> {
    await this.member.linearize({ timeoutMs: undefined });
    while (true) {
      const { kvs, revision } = firstCreated(this.member, candidates(this.name));
      if (kvs[0] === undefined) await this.untilCandidate(revision);
      else await this.follow(KeyValue.decode(kvs[0]), revision);
    }
  }

  /** There is no leader: waits for a candidate. */
  private async untilCandidate(revision: Revision): Promise<void> {
    using reader = this.read(candidates(this.name), revision);
    while (!(await reader.next()).events.some(isPut));
  }

  /** Says who leads, and what this one proclaims until the key goes. */
  private async follow(leader: KeyValue, revision: Revision): Promise<void> {
    using reader = this.read({ key: leader.key, rangeEnd: emptyBytes }, revision);
    await this.tell(leader, revision);
    while (true) {
      const { events } = await reader.next();
      for (const event of events) {
        if (!isPut(event)) return;
        if (event.kv !== undefined) await this.tell(event.kv, Number(event.kv.modRevision));
      }
    }
  }

  private read(span: { key: Uint8Array; rangeEnd: Uint8Array }, revision: Revision): KeyEventReader {
    return new KeyEventReader(this.member, [span], revision + 1, this.call);
  }

  private async tell(kv: KeyValue, revision: Revision): Promise<void> {
    if (!this.sink.write({ header: generatedHeader(this.member, revision), kv })) await this.sink.drained();
  }
}

function isPut(event: Event): boolean {
  return event.type === Event_EventType.PUT;
}
