/**
 * Who is in the cluster. The raft room knows ids and votes; this room knows names and URLs, and refuses changes
 * that make no sense. Changed only by applied log entries, so every member has the same at the same index.
 *
 * Ids that were removed are remembered for good: a removed member that comes back under its old id could vote
 * twice in one term (etcd-io/etcd #12227).
 */
import type { MemberId } from "../base/brand.js";
import { bytesToLatin1, emptyBytes, utf8Bytes } from "../base/bytes.js";
import { storeError } from "../base/errors.js";
import type { StateRecords } from "../base/state-records.js";
import { decodeMember, encodeMember, type MemberRecord } from "./member-record.js";

export const memberPrefix = "member/";
export const removedPrefix = "removed/";
export const clusterVersionKey = "cluster/version";

const idKey = (prefix: string, id: MemberId): string => prefix + id.toString(16).padStart(16, "0");

export class Membership {
  private readonly byId = new Map<MemberId, MemberRecord>();
  private readonly removed = new Set<MemberId>();
  private version: string | undefined;

  constructor(
    private readonly options: { readonly learnersMax: number },
    private readonly deps: { readonly records: StateRecords },
  ) {
    for (const [, bytes] of deps.records.listState(memberPrefix)) {
      const member = decodeMember(bytes);
      this.byId.set(member.id, member);
    }
    for (const [key] of deps.records.listState(removedPrefix)) {
      this.removed.add(BigInt(`0x${key.slice(removedPrefix.length)}`));
    }
    const version = deps.records.getState(clusterVersionKey);
    this.version = version === undefined ? undefined : bytesToLatin1(version);
  }

  /** In ascending order of id, as etcd lists them. */
  members(): readonly MemberRecord[] {
    return [...this.byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  member(id: MemberId): MemberRecord | undefined {
    return this.byId.get(id);
  }

  isRemoved(id: MemberId): boolean {
    return this.removed.has(id);
  }

  /** "3.7.0" once a leader decided it through the log. */
  get clusterVersion(): string | undefined {
    return this.version;
  }

  /**
   * Throws the StoreError that etcd gives where the addition makes no sense: MemberExist (also for an id that
   * was removed), PeerURLExist, TooManyLearners.
   */
  checkAdd(member: MemberRecord): void {
    if (this.removed.has(member.id) || this.byId.has(member.id)) throw storeError("MemberExist");
    this.checkUrlsFree(member.peerUrls, member.id);
    if (member.isLearner && this.learnerCount() >= this.options.learnersMax)
      throw storeError("TooManyLearners");
  }

  /** MemberNotFound, MemberNotLearner. */
  checkPromote(id: MemberId): void {
    if (!this.require(id).isLearner) throw storeError("MemberNotLearner");
  }

  /** MemberNotFound. */
  checkRemove(id: MemberId): void {
    this.require(id);
  }

  /** MemberNotFound, PeerURLExist. */
  checkUpdate(id: MemberId, peerUrls: readonly string[]): void {
    this.require(id);
    this.checkUrlsFree(peerUrls, id);
  }

  add(member: MemberRecord): void {
    this.checkAdd(member);
    this.put(member);
  }

  promote(id: MemberId): void {
    this.checkPromote(id);
    this.put({ ...this.require(id), isLearner: false });
  }

  remove(id: MemberId): void {
    this.checkRemove(id);
    this.byId.delete(id);
    this.removed.add(id);
    this.deps.records.setState(idKey(memberPrefix, id), undefined);
    this.deps.records.setState(idKey(removedPrefix, id), emptyBytes);
  }

  /** New peer URLs; whether the member is a learner does not change (etcd 3.6.12 promoted it by accident). */
  updatePeerUrls(id: MemberId, peerUrls: readonly string[]): void {
    this.checkUpdate(id, peerUrls);
    this.put({ ...this.require(id), peerUrls: [...peerUrls].sort() });
  }

  /** A member says its name and client URLs; one that was removed meanwhile is passed over. */
  setAttributes(id: MemberId, name: string, clientUrls: readonly string[]): void {
    const member = this.byId.get(id);
    if (member !== undefined) this.put({ ...member, name, clientUrls: [...clientUrls] });
  }

  setClusterVersion(version: string): void {
    this.version = version;
    this.deps.records.setState(clusterVersionKey, utf8Bytes(version));
  }

  private put(member: MemberRecord): void {
    this.byId.set(member.id, member);
    this.deps.records.setState(idKey(memberPrefix, member.id), encodeMember(member));
  }

  private require(id: MemberId): MemberRecord {
    const member = this.byId.get(id);
    if (member === undefined) throw storeError("MemberNotFound");
    return member;
  }

  private checkUrlsFree(peerUrls: readonly string[], except: MemberId): void {
    for (const other of this.byId.values()) {
      if (other.id !== except && other.peerUrls.some((url) => peerUrls.includes(url))) {
        throw storeError("PeerURLExist");
      }
    }
  }

  private learnerCount(): number {
    return [...this.byId.values()].filter((member) => member.isLearner).length;
  }
}
