/** What commands print, and the formats in which they can. */
import type {
  AlarmResponse,
  DeleteRangeResponse,
  HashKVResponse,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeResponse,
  LeaseTimeToLiveResponse,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateResponse,
  MoveLeaderResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  StatusResponse,
  TxnResponse,
  WatchEvent,
} from "../../client/index.js";
import { CliFailure, ExitCode } from "../failure.js";

export interface EndpointHealth {
  readonly endpoint: string;
  readonly health: boolean;
  /** As Go prints durations. */
  readonly took: string;
  /** Empty where there is none. */
  readonly error: string;
}

export interface EndpointStatus {
  readonly endpoint: string;
  readonly response: StatusResponse;
}

export interface EndpointHash {
  readonly endpoint: string;
  readonly response: HashKVResponse;
}

/** An answer of a watch: events, or none for a notification of progress, or its end. */
export interface WatchAnswer {
  readonly header: ResponseHeader | undefined;
  readonly events: readonly WatchEvent[];
  readonly compactRevision: bigint;
  readonly canceled: boolean;
  readonly cancelReason: string;
}

export type Printable =
  | { readonly kind: "get"; readonly response: RangeResponse; readonly valueOnly: boolean }
  | { readonly kind: "put"; readonly response: PutResponse }
  | { readonly kind: "del"; readonly response: DeleteRangeResponse }
  | { readonly kind: "txn"; readonly response: TxnResponse }
  | { readonly kind: "memberList"; readonly response: MemberListResponse }
  | { readonly kind: "memberAdd"; readonly response: MemberAddResponse }
  | { readonly kind: "memberRemove"; readonly id: bigint; readonly response: MemberRemoveResponse }
  | { readonly kind: "memberUpdate"; readonly id: bigint; readonly response: MemberUpdateResponse }
  | { readonly kind: "memberPromote"; readonly id: bigint; readonly response: MemberPromoteResponse }
  | { readonly kind: "endpointHealth"; readonly items: readonly EndpointHealth[] }
  | { readonly kind: "endpointStatus"; readonly items: readonly EndpointStatus[] }
  | { readonly kind: "endpointHashKv"; readonly items: readonly EndpointHash[] }
  | {
      readonly kind: "moveLeader";
      readonly leader: bigint;
      readonly target: bigint;
      readonly response: MoveLeaderResponse;
    }
  | { readonly kind: "alarm"; readonly response: AlarmResponse }
  | { readonly kind: "watch"; readonly answer: WatchAnswer }
  | { readonly kind: "leaseGrant"; readonly response: LeaseGrantResponse }
  | { readonly kind: "leaseRevoke"; readonly id: bigint; readonly response: LeaseRevokeResponse }
  | { readonly kind: "leaseKeepAlive"; readonly response: LeaseKeepAliveResponse }
  | {
      readonly kind: "leaseTimeToLive";
      readonly withKeys: boolean;
      readonly response: LeaseTimeToLiveResponse;
    }
  | { readonly kind: "leaseList"; readonly response: LeaseLeasesResponse };

export type OutputFormat = "simple" | "fields" | "json" | "protobuf" | "table";

export interface Printer {
  readonly format: OutputFormat;
  /** Errors: CliFailure where the format has no form for it. */
  print(item: Printable): void;
}

export type Write = (text: string | Uint8Array) => void;

/** Turns an item into output; undefined where the format has no form for it. */
export type Render = (item: Printable, hex: boolean) => string | Uint8Array | undefined;

async function loadRender(format: OutputFormat): Promise<Render> {
  switch (format) {
    case "simple":
      return (await import("./simple.js")).renderSimple;
    case "fields":
      return (await import("./fields.js")).renderFields;
    case "json":
      return (await import("./json.js")).renderJson;
    case "protobuf":
      return (await import("./protobuf.js")).renderProtobuf;
    case "table":
      return (await import("./table.js")).renderTable;
  }
}

const formats: readonly OutputFormat[] = ["simple", "fields", "json", "protobuf", "table"];

/** Errors: CliFailure for a format that there is not. */
export async function loadPrinter(name: string, hex: boolean, write: Write): Promise<Printer> {
  const format = formats.find((candidate) => candidate === name);
  if (format === undefined) throw new CliFailure(ExitCode.BadFeature, "unsupported output format");
  const render = await loadRender(format);
  return {
    format,
    print(item) {
      const output = render(item, hex);
      if (output === undefined) {
        throw new CliFailure(ExitCode.BadFeature, `${format} not supported as output format`);
      }
      write(output);
    },
  };
}
