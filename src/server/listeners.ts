/** Opens a transport server on each of a list of URLs, and closes all of them as one. */
import type { Logger } from "../base/logger.js";
import type { MetricRegistry } from "../base/metrics.js";
import { createGrpcServer } from "../transport/http2/server.js";
import type { TransportServer, TransportServerOptions } from "../transport/server-contract.js";
import { ConfigError } from "./flags/config-error.js";
import type { TlsConfig, TlsPolicy } from "./flags/server-config.js";
import type { ServerUrl } from "./flags/urls.js";
import { listenTls } from "./tls.js";
import { systemResolver } from "./tls-admission.js";

export type ListenOptions = Omit<TransportServerOptions, "tls">;

export interface ListenersDeps {
  readonly log: Logger;
  readonly registry: MetricRegistry;
}

export class Listeners {
  private readonly servers: TransportServer[] = [];

  constructor(
    private readonly policy: TlsPolicy,
    private readonly deps: ListenersDeps,
  ) {}

  /** Rejects with the socket's error, naming the address; what was opened before stays open until `close`. */
  async open(urls: readonly ServerUrl[], tls: TlsConfig, options: ListenOptions): Promise<void> {
    const { log, registry } = this.deps;
    for (const url of urls) {
      if (url.scheme === "unix" || url.scheme === "unixs") {
        throw new ConfigError(`listening on a unix socket is not supported (${url.text})`);
      }
      const door = { url: url.text, endpoint: options.endpoint };
      const server = createGrpcServer(
        {
          ...options,
          tls:
            url.scheme === "https"
              ? listenTls(tls, this.policy, door, { log, resolver: systemResolver })
              : undefined,
        },
        // Calls of the members among themselves are none of a client's.
        { log, calls: options.endpoint === "client" ? registry : undefined },
      );
      this.servers.push(server);
      await server.listen({ host: url.host, port: url.port });
    }
  }

  async close(options: { readonly graceMs: number }): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close(options)));
  }
}
