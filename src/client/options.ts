/** What a caller may set for a client and for one call. */

export interface TlsOptions {
  /** PEM of the authorities to trust; the system's where absent. */
  readonly caPem?: Uint8Array | undefined;
  /** PEM of the client's certificate chain and its key, for servers that ask for one. */
  readonly certPem?: Uint8Array | undefined;
  readonly keyPem?: Uint8Array | undefined;
  /** Accept any server certificate. For tests: whoever sits on the path can then read and change everything. */
  readonly skipVerify?: boolean | undefined;
  /** Name to expect in the server's certificate instead of the endpoint's host. */
  readonly serverName?: string | undefined;
}

/** Name and password are exchanged for a token at the first call, and again when the server rejects the token. */
export type AuthOptions =
  | { readonly user: string; readonly password: string }
  /** A token from elsewhere (JWT), sent as it is. */
  | { readonly token: string };

export interface TimeoutOptions {
  /** Longest wait, in ms, for any endpoint to take a connection before a call fails. Default 2,000. */
  readonly dialMs?: number | undefined;
  /** Deadline of a unary call in ms, connecting included, unless the call says otherwise. Default 5,000. */
  readonly callMs?: number | undefined;
  /** Longest wait in ms for an auth token. Default: `callMs`. */
  readonly authMs?: number | undefined;
  /** HTTP/2 ping after so many ms without traffic. Default 10,000, which is also the least (servers refuse more). */
  readonly keepaliveMs?: number | undefined;
  /** The connection counts as lost when a ping is not answered within so many ms. Default 6,000. */
  readonly keepaliveTimeoutMs?: number | undefined;
}

export interface ConnectOptions {
  /** At least one: `host:port`, `http://host:port`, `https://host:port`, `unix:///path`. */
  readonly endpoints: readonly string[];
  /**
   * Which endpoint a client begins with and comes back to after it had to leave it. "random", the default,
   * spreads many clients over all members; "ordered" takes the first one of the list.
   */
  readonly balance?: "random" | "ordered" | undefined;
  readonly timeouts?: TimeoutOptions | undefined;
  /** Applies to https endpoints and to those without a scheme; absent: those without a scheme use plain TCP. */
  readonly tls?: TlsOptions | undefined;
  readonly auth?: AuthOptions | undefined;
  /** Largest request in bytes. Default 2 MiB, as etcd's client; the server's own limit is 1.5 MiB. */
  readonly sendBytesMax?: number | undefined;
  /** Largest answer in bytes. Default: no limit. */
  readonly receiveBytesMax?: number | undefined;
}

/** For every call. */
export interface CallOptions {
  /** Deadline in ms from now; default `timeouts.callMs` for unary calls, none for streams. */
  readonly timeoutMs?: number | undefined;
  /** Aborting it ends the call with `Canceled`. A write may have been applied all the same. */
  readonly signal?: AbortSignal | undefined;
}

/** For calls that ask one member about itself. */
export interface EndpointCallOptions extends CallOptions {
  /** One of the client's endpoints, as it was given to `connect`; default: the one in use. */
  readonly endpoint?: string | undefined;
}
