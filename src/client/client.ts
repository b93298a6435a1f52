/** The client: one connection, one object for each service. */
import type { BytesLike } from "./bytes.js";
import { Cluster } from "./cluster.js";
import { type Connection, GrpcConnection } from "./connection.js";
import { Kv } from "./kv.js";
import { Leases } from "./lease.js";
import { ElectionService, LockService } from "./lock-services.js";
import { Maintenance } from "./maintenance.js";
import type { ConnectOptions } from "./options.js";
import type { TxnBuilder } from "./txn.js";
import { Watches, type WatchOptions } from "./watch.js";
import type { Watcher } from "./watcher.js";

/** Made by `connect`. Safe to share; close it once. */
export class QuorateClient implements AsyncDisposable {
  readonly kv: Kv;
  readonly cluster: Cluster;
  readonly maintenance: Maintenance;
  readonly watches: Watches;
  readonly leases: Leases;
  /** The lock service of the server; `quorate/recipes` has locks that need no such service and last as long as a session. */
  readonly lockService: LockService;
  /** The election service of the server; `quorate/recipes` has elections that need no such service. */
  readonly electionService: ElectionService;

  constructor(private readonly connection: Connection) {
    this.kv = new Kv(connection);
    this.cluster = new Cluster(connection);
    this.maintenance = new Maintenance(connection);
    this.watches = new Watches(connection);
    this.leases = new Leases(connection);
    this.lockService = new LockService(connection);
    this.electionService = new ElectionService(connection);
  }

  /** Watches a key or a range: short for `watches.watch()`. */
  watch(key: BytesLike, options: WatchOptions = {}): Watcher {
    return this.watches.watch(key, options);
  }

  /** Begins a transaction: short for `kv.txn()`. */
  txn(): TxnBuilder {
    return this.kv.txn();
  }

  /** Closes all connections. Calls under way fail with `Canceled` or `Unavailable`. */
  close(): Promise<void> {
    return this.connection.close();
  }

  /** `await using client = connect(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * A client of the cluster behind `endpoints`. Nothing is dialed before the first call, so this never fails for
 * an unreachable cluster; it throws `QuorateClientError` InvalidArgument for endpoints that make no sense.
 */
export function connect(options: ConnectOptions): QuorateClient {
  return new QuorateClient(new GrpcConnection(options));
}
