/** Dials the peer URLs of other members, by TLS where the URL says https. */
import { limits } from "../base/limits.js";
import { connectGrpc } from "../transport/http2/client.js";
import type { ChannelFactory } from "../transport/peer/peer-link.js";
import type { ServerConfig } from "./flags/server-config.js";
import { parseServerUrl } from "./flags/urls.js";
import { dialTls } from "./tls.js";

export function peerConnector(config: ServerConfig): ChannelFactory {
  const heartbeatsMs = config.raft.electionMs;
  return async (text) => {
    const url = parseServerUrl(text);
    return connectGrpc({
      host: url.host,
      port: url.port,
      tls: url.scheme === "https" ? dialTls(config.peerTls, config.tlsPolicy, url.host) : undefined,
      receiveBytesMax: limits.peerFrameBytesMax,
      connectTimeoutMs: heartbeatsMs,
      // Heartbeats flow all the time: this only finds a peer that vanished without a word.
      keepaliveIntervalMs: 2 * heartbeatsMs,
      keepaliveTimeoutMs: 2 * heartbeatsMs,
    });
  };
}
