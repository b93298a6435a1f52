/**
 * A member of the cluster, and how it travels: as protobuf (membershippb.Member) in the store, as etcd's JSON in
 * the context of a configuration change, so that etcd's own tools can read both.
 */
import type { MemberId } from "../base/brand.js";
import { bytesToLatin1, utf8Bytes } from "../base/bytes.js";
import { Member as StoredMember } from "../gen/membership.js";

export interface MemberRecord {
  readonly id: MemberId;
  /** Sorted. */
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  /** Empty until the member published itself. */
  readonly name: string;
  readonly clientUrls: readonly string[];
}

export function encodeMember(member: MemberRecord): Uint8Array {
  return StoredMember.encode({
    ID: member.id,
    raftAttributes: { peerUrls: [...member.peerUrls], isLearner: member.isLearner },
    memberAttributes: { name: member.name, clientUrls: [...member.clientUrls] },
  }).finish();
}

export function decodeMember(bytes: Uint8Array): MemberRecord {
  const stored = StoredMember.decode(bytes);
  return {
    id: stored.ID,
    peerUrls: stored.raftAttributes?.peerUrls ?? [],
    isLearner: stored.raftAttributes?.isLearner ?? false,
    name: stored.memberAttributes?.name ?? "",
    clientUrls: stored.memberAttributes?.clientUrls ?? [],
  };
}

/** What a configuration change says beside the node id (etcd's ConfigChangeContext). */
export interface ChangeContext {
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  readonly name: string;
  readonly isPromote: boolean;
}

/** JSON with the id as bare digits: 64 bits do not fit a JavaScript number. */
export function encodeChangeContext(id: MemberId, context: ChangeContext): Uint8Array {
  const name = context.name === "" ? "" : `,"name":${JSON.stringify(context.name)}`;
  const learner = context.isLearner ? ',"isLearner":true' : "";
  const urls = JSON.stringify(context.peerUrls);
  return utf8Bytes(`{"id":${id},"peerURLs":${urls}${learner}${name},"isPromote":${context.isPromote}}`);
}

/** Undefined where the context is none or no JSON: an entry that this cluster did not write. */
export function decodeChangeContext(bytes: Uint8Array): ChangeContext | undefined {
  try {
    const parsed: unknown = JSON.parse(decodeUtf8(bytes));
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const fields = parsed as Record<string, unknown>;
    return {
      peerUrls: stringList(fields.peerURLs),
      isLearner: fields.isLearner === true,
      name: typeof fields.name === "string" ? fields.name : "",
      isPromote: fields.isPromote === true,
    };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof URIError) return undefined;
    throw error;
  }
}

function stringList(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

/** UTF-8 without TextDecoder, which the pure rooms do not have: percent-decoding does the same work. */
function decodeUtf8(bytes: Uint8Array): string {
  const latin1 = bytesToLatin1(bytes);
  let escaped = "";
  for (let at = 0; at < latin1.length; at++) {
    const code = latin1.charCodeAt(at);
    escaped += code < 0x80 && code !== 0x25 ? latin1[at] : `%${code.toString(16).padStart(2, "0")}`;
  }
  return decodeURIComponent(escaped);
}
