/** `-w simple`: for people and for scripts that cut lines. Keys and values are printed as the bytes they are. */
import {
  AlarmType,
  type KeyValue,
  type LeaseTimeToLiveResponse,
  type ResponseHeader,
  type ResponseOp,
  type TxnResponse,
} from "../../client/index.js";
import { hexId } from "../go-format.js";
import type { EndpointHealth, Printable, Render } from "./printer.js";
import { hashRows, memberRows, type Rows, statusRows } from "./rows.js";

const newline = Buffer.from("\n");

export const renderSimple: Render = (item, hex) => Buffer.concat(partsOf(item, hex));

function partsOf(item: Printable, hex: boolean): Uint8Array[] {
  switch (item.kind) {
    case "get":
      return item.response.kvs.flatMap((kv) => pairParts(kv, hex, item.valueOnly));
    case "put":
      return [line("OK"), ...pairPartsOf(item.response.prevKv, hex)];
    case "del":
      return [
        line(String(item.response.deleted)),
        ...item.response.prevKvs.flatMap((kv) => pairParts(kv, hex, false)),
      ];
    case "txn":
      return txnParts(item.response, hex);
    case "memberList":
      return rowParts(memberRows(item.response));
    case "memberAdd": {
      const { header, member } = item.response;
      const role = member?.isLearner === true ? " as learner " : " ";
      return [line(`Member ${paddedId(member?.ID)} added${role}to cluster ${paddedId(header?.clusterId)}`)];
    }
    case "memberRemove":
      return [memberLine(item.id, "removed from", item.response.header)];
    case "memberUpdate":
      return [memberLine(item.id, "updated in", item.response.header)];
    case "memberPromote":
      return [memberLine(item.id, "promoted in", item.response.header)];
    case "endpointHealth":
      // The command itself tells of endpoints in ill health, on standard error.
      return item.items.filter((endpoint) => endpoint.error === "").map(healthLine);
    case "endpointStatus":
      return rowParts(statusRows(item.items));
    case "endpointHashKv":
      return rowParts(hashRows(item.items));
    case "moveLeader":
      return [line(`Leadership transferred from ${hexId(item.leader)} to ${hexId(item.target)}`)];
    case "alarm":
      return item.response.alarms.map((alarm) => {
        // Protobuf's text form leaves fields out that are zero.
        const member = alarm.memberID === 0n ? [] : [`memberID:${alarm.memberID}`];
        const kind = alarm.alarm === AlarmType.NONE ? [] : [`alarm:${AlarmType[alarm.alarm]}`];
        return line([...member, ...kind].join(" "));
      });
    case "watch":
      return item.answer.events.flatMap(({ type, kv, prevKv }) => [
        line(type.toUpperCase()),
        ...pairPartsOf(prevKv, hex),
        ...pairParts(kv, hex, false),
      ]);
    case "leaseGrant":
      return [line(`lease ${leaseId(item.response.ID)} granted with TTL(${item.response.TTL}s)`)];
    case "leaseRevoke":
      return [line(`lease ${leaseId(item.id)} revoked`)];
    case "leaseKeepAlive":
      return [line(`lease ${leaseId(item.response.ID)} keepalived with TTL(${item.response.TTL})`)];
    case "leaseTimeToLive":
      return timeToLiveParts(item.response, item.withKeys);
    case "leaseList": {
      const { leases } = item.response;
      return [line(`found ${leases.length} leases`), ...leases.map(({ ID }) => line(leaseId(ID)))];
    }
  }
}

function line(text: string): Uint8Array {
  return Buffer.from(`${text}\n`);
}

/** Sixteen columns, filled up with spaces. */
function paddedId(id: bigint | undefined): string {
  return hexId(id ?? 0n).padStart(16);
}

function memberLine(id: bigint, what: string, header: ResponseHeader | undefined): Uint8Array {
  return line(`Member ${paddedId(id)} ${what} cluster ${paddedId(header?.clusterId)}`);
}

export function leaseId(id: bigint): string {
  return hexId(id, 16);
}

function timeToLiveParts(response: LeaseTimeToLiveResponse, withKeys: boolean): Uint8Array[] {
  const { ID, TTL, grantedTTL, keys } = response;
  if (grantedTTL === 0n && TTL === -1n) return [line(`lease ${leaseId(ID)} already expired`)];
  const start = Buffer.from(`lease ${leaseId(ID)} granted with TTL(${grantedTTL}s), remaining(${TTL}s)`);
  if (!withKeys) return [start, newline];
  const spaced = keys.flatMap((key, index) => (index === 0 ? [key] : [Buffer.from(" "), key]));
  return [start, Buffer.from(", attached keys(["), ...spaced, Buffer.from("])"), newline];
}

function rowParts({ rows }: Rows): Uint8Array[] {
  return rows.map((row) => line(row.join(", ")));
}

function pairParts(kv: KeyValue, hex: boolean, valueOnly: boolean): Uint8Array[] {
  const shown = (bytes: Uint8Array): Uint8Array => (hex ? hexEscaped(bytes) : bytes);
  const value = [shown(kv.value), newline];
  return valueOnly ? value : [shown(kv.key), newline, ...value];
}

function pairPartsOf(kv: KeyValue | undefined, hex: boolean): Uint8Array[] {
  return kv === undefined ? [] : pairParts(kv, hex, false);
}

/** "\x61\x62": what `echo -e` and `printf` turn back into the bytes. */
function hexEscaped(bytes: Uint8Array): Uint8Array {
  return Buffer.from(
    Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""),
    "latin1",
  );
}

function healthLine(item: EndpointHealth): Uint8Array {
  const { endpoint, took } = item;
  return line(`${endpoint} is healthy: successfully committed proposal: took = ${took}`);
}

function txnParts(response: TxnResponse, hex: boolean): Uint8Array[] {
  const parts = [line(response.succeeded ? "SUCCESS" : "FAILURE")];
  for (const operation of response.responses) parts.push(newline, ...operationParts(operation, hex));
  return parts;
}

function operationParts({ response }: ResponseOp, hex: boolean): Uint8Array[] {
  switch (response?.$case) {
    case "responseRange":
      return partsOf({ kind: "get", response: response.value, valueOnly: false }, hex);
    case "responsePut":
      return partsOf({ kind: "put", response: response.value }, hex);
    case "responseDeleteRange":
      return partsOf({ kind: "del", response: response.value }, hex);
    case "responseTxn":
    case undefined:
      // The command line cannot ask for a nested transaction, so none is answered.
      return [];
  }
}
