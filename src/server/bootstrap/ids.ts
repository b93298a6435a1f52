/**
 * Ids of members and clusters, computed as etcd does, so that members of both find the same ones from the same
 * flags: the first eight bytes of a SHA-1, big-endian.
 */
import { createHash } from "node:crypto";
import type { ClusterId, MemberId } from "../../base/brand.js";

/**
 * Id of a member with these peer URLs. A founder's is made of its URLs and the cluster's token. For a member that
 * is added to a running cluster the token is "" and `unixSeconds` is the time: it keeps a member that was removed
 * apart from one that comes with the same URLs.
 */
export function memberIdOf(
  peerUrls: readonly string[],
  clusterToken: string,
  unixSeconds: number | undefined,
): MemberId {
  const time = unixSeconds === undefined ? "" : String(unixSeconds);
  return firstEightBytes(Buffer.from([...peerUrls].sort().join("") + clusterToken + time, "utf8"));
}

/** Id of the cluster that these members found. */
export function clusterIdOf(memberIds: readonly MemberId[]): ClusterId {
  const sorted = [...memberIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const bytes = Buffer.alloc(8 * sorted.length);
  sorted.forEach((id, at) => {
    bytes.writeBigUInt64BE(id, 8 * at);
  });
  return firstEightBytes(bytes);
}

/** The id as it stands in log lines and answers: lower-case hexadecimal without leading zeros. */
export function formatId(id: bigint): string {
  return id.toString(16);
}

function firstEightBytes(input: Buffer): bigint {
  return createHash("sha1").update(input).digest().readBigUInt64BE(0);
}
