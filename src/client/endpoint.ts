/** Endpoints as etcd's clients write them: `host:port`, `http://…`, `https://…`, `unix:///path`. */
import { GrpcCode, QuorateClientError } from "./errors.js";

export interface ParsedEndpoint {
  /** As the caller wrote it: the name under which it appears in errors. */
  readonly name: string;
  /** What the gRPC library dials. */
  readonly target: string;
  /** "optional": TLS where the client was given TLS settings. */
  readonly tls: "required" | "forbidden" | "optional";
}

/** Throws `QuorateClientError` InvalidArgument for a scheme that is none of the above. */
export function parseEndpoint(text: string): ParsedEndpoint {
  const name = text.trim();
  const match = /^([a-z]+):\/\/(.*)$/i.exec(name);
  if (match === null) {
    // "unix:path" is gRPC's own spelling and has no host and port to check.
    return { name, target: name, tls: "optional" };
  }
  const rest = match[2]!;
  const authority = rest.replace(/\/.*$/, "");
  switch (match[1]!.toLowerCase()) {
    case "http":
      return { name, target: authority, tls: "forbidden" };
    case "https":
      return { name, target: authority, tls: "required" };
    case "unix":
      return { name, target: `unix:${rest}`, tls: "forbidden" };
    case "unixs":
      return { name, target: `unix:${rest}`, tls: "required" };
    default:
      throw new QuorateClientError(
        GrpcCode.InvalidArgument,
        `endpoint ${JSON.stringify(name)} has an unknown scheme`,
        false,
        undefined,
      );
  }
}
