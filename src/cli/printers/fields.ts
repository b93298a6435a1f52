/** `-w fields`: one `"Name" : value` a line. */
import {
  AlarmType,
  type KeyValue,
  type ResponseHeader,
  type ResponseOp,
  type TxnResponse,
} from "../../client/index.js";
import { hexId, quoteBytes, quoteText } from "../go-format.js";
import type { EndpointHash, EndpointHealth, EndpointStatus, Printable, Render } from "./printer.js";

export const renderFields: Render = (item, hex) => linesOf(item, hex)?.join("");

function linesOf(item: Printable, hex: boolean): string[] | undefined {
  switch (item.kind) {
    case "get": {
      const { header, kvs, more, count } = item.response;
      const pairs = kvs.flatMap((kv) => pairLines("", kv, hex));
      return [...headerLines(header, hex), ...pairs, field("More", more), field("Count", count)];
    }
    case "put": {
      const { header, prevKv } = item.response;
      return [...headerLines(header, hex), ...(prevKv === undefined ? [] : pairLines("Prev", prevKv, hex))];
    }
    case "del": {
      const { header, deleted, prevKvs } = item.response;
      const pairs = prevKvs.flatMap((kv) => pairLines("Prev", kv, hex));
      return [...headerLines(header, hex), field("Deleted", deleted), ...pairs];
    }
    case "txn":
      return txnLines(item.response, hex);
    case "memberList":
      return [
        ...headerLines(item.response.header, hex),
        ...item.response.members.flatMap((member) => [
          field("ID", idText(member.ID, hex)),
          field("Name", quoteText(member.name)),
          ...member.peerURLs.map((url) => field("PeerURL", quoteText(url))),
          ...member.clientURLs.map((url) => field("ClientURL", quoteText(url))),
          field("IsLearner", member.isLearner),
          "\n",
        ]),
      ];
    case "endpointHealth":
      return item.items.flatMap(healthLines);
    case "endpointStatus":
      return item.items.flatMap((status) => statusLines(status, hex));
    case "endpointHashKv":
      return item.items.flatMap((hash) => hashLines(hash, hex));
    case "alarm":
      return [
        ...headerLines(item.response.header, hex),
        ...item.response.alarms.flatMap((alarm) => [
          field("MemberID", idText(alarm.memberID, hex)),
          field("AlarmType", AlarmType[alarm.alarm] ?? alarm.alarm),
          "\n",
        ]),
      ];
    case "watch":
      return [
        ...headerLines(item.answer.header, hex),
        ...item.answer.events.flatMap(({ type, kv, prevKv }) => [
          field("Type", type.toUpperCase()),
          ...(prevKv === undefined ? [] : pairLines("Prev", prevKv, hex)),
          ...pairLines("", kv, hex),
        ]),
      ];
    case "leaseGrant":
    case "leaseKeepAlive": {
      const { header, ID, TTL } = item.response;
      return [...headerLines(header, hex), field("ID", leaseText(ID, hex)), field("TTL", TTL)];
    }
    case "leaseRevoke":
      return headerLines(item.response.header, hex);
    case "leaseTimeToLive": {
      const { header, ID, TTL, grantedTTL, keys } = item.response;
      const own = [field("ID", leaseText(ID, hex)), field("TTL", TTL), field("GrantedTTL", grantedTTL)];
      return [...headerLines(header, hex), ...own, ...keys.map((key) => field("Key", quoteBytes(key)))];
    }
    case "leaseList":
      return [
        ...headerLines(item.response.header, hex),
        ...item.response.leases.map(({ ID }) => field("ID", leaseText(ID, hex))),
      ];
    case "memberAdd":
    case "memberRemove":
    case "memberUpdate":
    case "memberPromote":
    case "moveLeader":
      return undefined;
  }
}

function field(name: string, value: string | number | bigint | boolean): string {
  return `"${name}" : ${value}\n`;
}

function idText(id: bigint, hex: boolean): string {
  return hex ? hexId(id) : String(id);
}

function leaseText(id: bigint, hex: boolean): string {
  return hex ? hexId(id, 16) : String(id);
}

function headerLines(header: ResponseHeader | undefined, hex: boolean): string[] {
  const revision = header?.revision ?? 0n;
  return [
    field("ClusterID", idText(header?.clusterId ?? 0n, hex)),
    field("MemberID", idText(header?.memberId ?? 0n, hex)),
    // Answers that are not about keys have none.
    ...(revision > 0n ? [field("Revision", revision)] : []),
    field("RaftTerm", header?.raftTerm ?? 0n),
  ];
}

function pairLines(prefix: "" | "Prev", kv: KeyValue, hex: boolean): string[] {
  return [
    field(`${prefix}Key`, quoteBytes(kv.key)),
    field(`${prefix}CreateRevision`, kv.createRevision),
    field(`${prefix}ModRevision`, kv.modRevision),
    field(`${prefix}Version`, kv.version),
    field(`${prefix}Value`, quoteBytes(kv.value)),
    field(`${prefix}Lease`, leaseText(kv.lease, hex)),
  ];
}

function txnLines(response: TxnResponse, hex: boolean): string[] {
  return [
    ...headerLines(response.header, hex),
    field("Succeeded", response.succeeded),
    ...response.responses.flatMap((operation) => operationLines(operation, hex)),
  ];
}

function operationLines({ response }: ResponseOp, hex: boolean): string[] {
  switch (response?.$case) {
    case "responseRange":
      return linesOf({ kind: "get", response: response.value, valueOnly: false }, hex) ?? [];
    case "responsePut":
      return linesOf({ kind: "put", response: response.value }, hex) ?? [];
    case "responseDeleteRange":
      return linesOf({ kind: "del", response: response.value }, hex) ?? [];
    case "responseTxn":
    case undefined:
      // The command line cannot ask for a nested transaction, so none is answered.
      return [];
  }
}

function healthLines(item: EndpointHealth): string[] {
  return [
    field("Endpoint", quoteText(item.endpoint)),
    field("Health", item.health),
    field("Took", item.took),
    field("Error", item.error),
    "\n",
  ];
}

function statusLines({ endpoint, response }: EndpointStatus, hex: boolean): string[] {
  return [
    ...headerLines(response.header, hex),
    field("Version", quoteText(response.version)),
    field("StorageVersion", quoteText(response.storageVersion)),
    field("DBSize", response.dbSize),
    field("DBSizeInUse", response.dbSizeInUse),
    field("DBSizeQuota", response.dbSizeQuota),
    field("Leader", response.leader),
    field("IsLearner", response.isLearner),
    field("RaftIndex", response.raftIndex),
    field("RaftTerm", response.raftTerm),
    field("RaftAppliedIndex", response.raftAppliedIndex),
    field("Errors", `[${response.errors.join(" ")}]`),
    field("Endpoint", quoteText(endpoint)),
    field("DowngradeTargetVersion", quoteText(response.downgradeInfo?.targetVersion ?? "")),
    field("DowngradeEnabled", response.downgradeInfo?.enabled ?? false),
    "\n",
  ];
}

function hashLines({ endpoint, response }: EndpointHash, hex: boolean): string[] {
  return [
    ...headerLines(response.header, hex),
    field("Endpoint", quoteText(endpoint)),
    field("Hash", response.hash),
    field("HashRevision", response.hashRevision),
    "\n",
  ];
}
