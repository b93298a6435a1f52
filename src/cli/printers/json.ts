/**
 * `-w json`: what Go's encoding/json makes of etcd's messages, byte for byte: fields in the order of the
 * message, those at their zero value left out, numbers without quotes, bytes in base64.
 */
import type { Member, ResponseHeader, ResponseOp, TxnResponse, WatchEvent } from "../../client/index.js";
import { hexId, jsonText } from "../go-format.js";
import type { Printable, Render, WatchAnswer } from "./printer.js";

/** Name in JSON, property in our message, and the shape of what is in it where that is a message. */
type Shape = readonly (readonly [name: string, property: string, shape?: Shape])[];

const headerShape: Shape = [
  ["cluster_id", "clusterId"],
  ["member_id", "memberId"],
  ["revision", "revision"],
  ["raft_term", "raftTerm"],
];
const kvShape: Shape = [
  ["key", "key"],
  ["create_revision", "createRevision"],
  ["mod_revision", "modRevision"],
  ["version", "version"],
  ["value", "value"],
  ["lease", "lease"],
];
const rangeShape: Shape = [
  ["header", "header", headerShape],
  ["kvs", "kvs", kvShape],
  ["more", "more"],
  ["count", "count"],
];
const putShape: Shape = [
  ["header", "header", headerShape],
  ["prev_kv", "prevKv", kvShape],
];
const deleteShape: Shape = [
  ["header", "header", headerShape],
  ["deleted", "deleted"],
  ["prev_kvs", "prevKvs", kvShape],
];
const memberShape: Shape = [
  ["ID", "ID"],
  ["name", "name"],
  ["peerURLs", "peerURLs"],
  ["clientURLs", "clientURLs"],
  ["isLearner", "isLearner"],
];
const memberListShape: Shape = [
  ["header", "header", headerShape],
  ["members", "members", memberShape],
];
const memberAddShape: Shape = [
  ["header", "header", headerShape],
  ["member", "member", memberShape],
  ["members", "members", memberShape],
];
const statusShape: Shape = [
  ["header", "header", headerShape],
  ["version", "version"],
  ["dbSize", "dbSize"],
  ["leader", "leader"],
  ["raftIndex", "raftIndex"],
  ["raftTerm", "raftTerm"],
  ["raftAppliedIndex", "raftAppliedIndex"],
  ["errors", "errors"],
  ["dbSizeInUse", "dbSizeInUse"],
  ["isLearner", "isLearner"],
  ["storageVersion", "storageVersion"],
  ["dbSizeQuota", "dbSizeQuota"],
  [
    "downgradeInfo",
    "downgradeInfo",
    [
      ["enabled", "enabled"],
      ["targetVersion", "targetVersion"],
    ],
  ],
];
const hashShape: Shape = [
  ["header", "header", headerShape],
  ["hash", "hash"],
  ["compact_revision", "compactRevision"],
  ["hash_revision", "hashRevision"],
];
const alarmShape: Shape = [
  ["header", "header", headerShape],
  [
    "alarms",
    "alarms",
    [
      ["memberID", "memberID"],
      ["alarm", "alarm"],
    ],
  ],
];

export const renderJson: Render = (item, hex) => `${jsonOf(item, hex)}\n`;

function jsonOf(item: Printable, hex: boolean): string {
  switch (item.kind) {
    case "get":
      return message(item.response, rangeShape);
    case "put":
      return message(item.response, putShape);
    case "del":
      return message(item.response, deleteShape);
    case "txn":
      return txnJson(item.response);
    case "memberAdd":
      return hex
        ? hexMembersJson(item.response, item.response.member)
        : message(item.response, memberAddShape);
    case "memberList":
    case "memberRemove":
    case "memberUpdate":
    case "memberPromote":
      return hex ? hexMembersJson(item.response) : message(item.response, memberListShape);
    case "endpointHealth":
      return list(item.items, ({ endpoint, health, took, error }) => {
        const problem = error === "" ? "" : `,"error":${jsonText(error)}`;
        return `{"endpoint":${jsonText(endpoint)},"health":${health},"took":${jsonText(took)}${problem}}`;
      });
    case "endpointStatus":
      return list(item.items, ({ endpoint, response }) => {
        return `{"Endpoint":${jsonText(endpoint)},"Status":${message(response, statusShape)}}`;
      });
    case "endpointHashKv":
      return list(item.items, ({ endpoint, response }) => {
        return `{"Endpoint":${jsonText(endpoint)},"HashKV":${message(response, hashShape)}}`;
      });
    case "moveLeader":
      return message(item.response, [["header", "header", headerShape]]);
    case "alarm":
      return message(item.response, alarmShape);
    case "watch":
      return watchJson(item.answer);
    case "leaseRevoke":
      return message(item.response, [["header", "header", headerShape]]);
    case "leaseGrant": {
      const { header, ID, TTL, error } = item.response;
      return withHeaderFields(header, [`"ID":${ID}`, `"TTL":${TTL}`, `"Error":${jsonText(error)}`]);
    }
    case "leaseKeepAlive":
      return withHeaderFields(item.response.header, [
        `"ID":${item.response.ID}`,
        `"TTL":${item.response.TTL}`,
      ]);
    case "leaseTimeToLive": {
      const { header, ID, TTL, grantedTTL, keys } = item.response;
      const own = [`"id":${ID}`, `"ttl":${TTL}`, `"granted-ttl":${grantedTTL}`];
      return withHeaderFields(header, [...own, `"keys":${list(keys, base64Text)}`]);
    }
    case "leaseList": {
      const leases = item.response.leases.map(({ ID }) => `{"id":${ID}}`);
      return withHeaderFields(item.response.header, [`"leases":[${leases.join(",")}]`]);
    }
  }
}

/** A list that nothing was put in is no list in Go. */
function list<Item>(items: readonly Item[], render: (item: Item) => string): string {
  return items.length === 0 ? "null" : `[${items.map(render).join(",")}]`;
}

/** What Go's client puts beside the fields of the header, rather than below one. */
function withHeaderFields(header: ResponseHeader | undefined, own: readonly string[]): string {
  const shared = header === undefined ? "" : message(header, headerShape).slice(1, -1);
  return `{${[...(shared === "" ? [] : [shared]), ...own].join(",")}}`;
}

function base64Text(bytes: Uint8Array): string {
  return `"${Buffer.from(bytes).toString("base64")}"`;
}

function watchJson({ header, events, compactRevision, canceled, cancelReason }: WatchAnswer): string {
  const fields = [
    `"Header":${header === undefined ? "null" : message(header, headerShape)}`,
    `"Events":${list(events, eventJson)}`,
    `"CompactRevision":${compactRevision}`,
    `"Canceled":${canceled}`,
    '"Created":false',
    `"CancelReason":${jsonText(cancelReason)}`,
  ];
  return `{${fields.join(",")}}`;
}

function eventJson({ type, kv, prevKv }: WatchEvent): string {
  const fields = type === "delete" ? ['"type":1'] : [];
  fields.push(`"kv":${message(kv, kvShape)}`);
  if (prevKv !== undefined) fields.push(`"prev_kv":${message(prevKv, kvShape)}`);
  return `{${fields.join(",")}}`;
}

function message(source: object, shape: Shape): string {
  const fields: string[] = [];
  for (const [name, property, inner] of shape) {
    const text = valueText((source as Readonly<Record<string, unknown>>)[property], inner);
    if (text !== undefined) fields.push(`"${name}":${text}`);
  }
  return `{${fields.join(",")}}`;
}

/** Undefined for what is left out. */
function valueText(value: unknown, shape: Shape | undefined): string | undefined {
  if (value === undefined || value === 0n || value === 0 || value === false || value === "") return undefined;
  if (typeof value === "string") return jsonText(value);
  if (value instanceof Uint8Array) {
    return value.length === 0 ? undefined : base64Text(value);
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return undefined;
    return `[${value.map((item) => (shape === undefined ? jsonText(item) : message(item, shape))).join(",")}]`;
  }
  return shape === undefined ? String(value) : message(value as object, shape);
}

function txnJson(response: TxnResponse): string {
  const fields: string[] = [];
  if (response.header !== undefined) fields.push(`"header":${message(response.header, headerShape)}`);
  if (response.succeeded) fields.push('"succeeded":true');
  if (response.responses.length > 0) {
    fields.push(`"responses":[${response.responses.map(operationJson).join(",")}]`);
  }
  return `{${fields.join(",")}}`;
}

function operationJson({ response }: ResponseOp): string {
  return `{"Response":{${answerJson(response)}}}`;
}

function answerJson(response: ResponseOp["response"]): string {
  switch (response?.$case) {
    case "responseRange":
      return `"response_range":${message(response.value, rangeShape)}`;
    case "responsePut":
      return `"response_put":${message(response.value, putShape)}`;
    case "responseDeleteRange":
      return `"response_delete_range":${message(response.value, deleteShape)}`;
    case "responseTxn":
      return `"response_txn":${txnJson(response.value)}`;
    case undefined:
      return "";
  }
}

/** With --hex, answers about members have their ids as text, also those that are zero. */
function hexMembersJson(
  { header, members }: { readonly header: ResponseHeader | undefined; readonly members: readonly Member[] },
  added?: Member,
): string {
  const member = added === undefined ? "" : `,"member":${hexMemberJson(added)}`;
  return `{"header":${hexHeaderJson(header)}${member},"members":[${members.map(hexMemberJson).join(",")}]}`;
}

function hexHeaderJson(header: ResponseHeader | undefined): string {
  if (header === undefined) return "null";
  const rest = message(header, headerShape.slice(2)).slice(1, -1);
  const ids = `"cluster_id":"${hexId(header.clusterId)}","member_id":"${hexId(header.memberId)}"`;
  return `{${ids}${rest === "" ? "" : `,${rest}`}}`;
}

function hexMemberJson(member: Member): string {
  const rest = message(member, memberShape.slice(1)).slice(1, -1);
  return `{"ID":"${hexId(member.ID)}"${rest === "" ? "" : `,${rest}`}}`;
}
