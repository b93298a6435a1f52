/**
 * What the compatibility cases run against. QUORATE_COMPAT_TARGETS chooses by name, comma separated:
 * `quorate-1`, `quorate-3` (one and three members of ours), `quorate-1-tls`, `quorate-3-tls` (the same with
 * certificates for members and clients), `quorate-3-far` and `etcd-3-far` (three members whose messages to each other
 * are late: a case that takes for granted that every member knows of a write at once fails there each time, and
 * elsewhere once in a while), `etcd`, `etcd-3`, `etcd-tls` (one or three of the etcd in the search path, or of the
 * binary that QUORATE_COMPAT_ETCD names), `etcd-3.7` (one of the release that `test/tools/etcd` pins). The etcd
 * targets are there to prove the cases themselves: an expectation that etcd does not meet is wrong.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TlsFiles } from "../support/certificates.js";
import { type RunningCluster, startCluster } from "../support/cluster.js";
import { leaveOut } from "../support/leave-out.js";
import {
  etcdBinary,
  isAtLeast,
  type Missing,
  ourBinary,
  type ServerBinary,
} from "../support/server-binary.js";
import { parseServerLogLine } from "../support/server-log.js";
import { pinnedEtcdBinary } from "../tools/go-tools.js";

export interface Target {
  readonly name: string;
  readonly memberCount: number;
  /** Whether clients and members speak TLS and show certificates. */
  readonly withTls: boolean;
  readonly binary: ServerBinary;
}

interface TargetKind {
  readonly memberCount: number;
  readonly withTls: boolean;
  readonly find: () => ServerBinary | Missing | Promise<ServerBinary | Missing>;
  /** How late what a member sends reaches another. */
  readonly linkDelayMs?: number;
}

/** Longer than a client takes from the answer at one member to its next question at another, by far. */
const farLinkDelayMs = 3;

const kinds: Readonly<Record<string, TargetKind>> = {
  "quorate-1": { memberCount: 1, withTls: false, find: ourBinary },
  "quorate-3": { memberCount: 3, withTls: false, find: ourBinary },
  "quorate-1-tls": { memberCount: 1, withTls: true, find: ourBinary },
  "quorate-3-tls": { memberCount: 3, withTls: true, find: ourBinary },
  "quorate-3-far": { memberCount: 3, withTls: false, find: ourBinary, linkDelayMs: farLinkDelayMs },
  "etcd-3-far": { memberCount: 3, withTls: false, find: etcdBinary, linkDelayMs: farLinkDelayMs },
  etcd: { memberCount: 1, withTls: false, find: etcdBinary },
  "etcd-3": { memberCount: 3, withTls: false, find: etcdBinary },
  "etcd-tls": { memberCount: 1, withTls: true, find: etcdBinary },
  "etcd-3.7": { memberCount: 1, withTls: false, find: pinnedEtcdBinary },
};
const defaultTargets = "quorate-1,quorate-3,quorate-3-far,quorate-1-tls,etcd,etcd-3.7";
const severe: ReadonlySet<string> = new Set(["error", "dpanic", "panic", "fatal"]);
const startTimeoutMs = 60_000;
/** A client may have to be fetched and built first. */
export const prepareTimeoutMs = 600_000;

export function isMissing(found: object): found is Missing {
  return "missing" in found;
}

/** Names of the chosen targets. Throws on one that does not exist: a typing error must not test nothing. */
export function chosenTargets(): readonly string[] {
  const names = (process.env.QUORATE_COMPAT_TARGETS ?? defaultTargets).split(",").map((name) => name.trim());
  for (const name of names) {
    if (kinds[name] === undefined)
      throw new Error(`no target "${name}"; there are ${Object.keys(kinds).join(", ")}`);
  }
  return names;
}

/** Tells programs that drive a cluster what to show and whom to trust; nothing where it speaks plain TCP. */
export function tlsEnvironment(tls: TlsFiles | undefined): Readonly<Record<string, string>> {
  if (tls === undefined) return {};
  return {
    QUORATE_COMPAT_CA: tls.ca,
    QUORATE_COMPAT_CERT: tls.client.cert,
    QUORATE_COMPAT_KEY: tls.client.key,
  };
}

/** Where the cases of a client find the cluster, once its `beforeAll` ran. */
export interface TargetCluster {
  readonly target: Target;
  readonly endpoints: readonly string[];
  readonly cluster: RunningCluster;
}

/** Whatever clients did, no member may have failed by it; and nothing that a client does concerns the peers' links. */
function expectCleanLogs(cluster: RunningCluster): void {
  const wrong = cluster.members.flatMap((member) =>
    member.process.stderr.lines.filter((line) => {
      const parsed = parseServerLogLine(line);
      return (
        parsed === undefined || severe.has(parsed.level) || parsed.msg.startsWith("peer became inactive")
      );
    }),
  );
  expect(wrong).toEqual([]);
}

/** A watch that asks for progress is told of it this often, so that a test can wait for it. */
function progressArgs(binary: ServerBinary): readonly string[] {
  const flag = "watch-progress-notify-interval";
  return [isAtLeast(binary.version, 3, 6) ? `--${flag}=500ms` : `--experimental-${flag}=500ms`];
}

const chosen = await Promise.all(
  chosenTargets().map(async (name) => ({ name, kind: kinds[name]!, binary: await kinds[name]!.find() })),
);

/** Registers `define`'s tests once for each chosen target, with a cluster of its own. `titles` for what is missing. */
export function describeTargets(titles: readonly string[], define: (cluster: TargetCluster) => void): void {
  for (const { name, kind, binary } of chosen) {
    describe(name, () => {
      if (isMissing(binary)) {
        leaveOut(titles, binary.missing);
        return;
      }
      const { memberCount, withTls, linkDelayMs } = kind;
      const target: Target = { name, memberCount, withTls, binary };
      let cluster: RunningCluster | undefined;
      beforeAll(async () => {
        const extraArgs = progressArgs(binary);
        cluster = await startCluster(binary, memberCount, { extraArgs, withTls, linkDelayMs });
      }, startTimeoutMs);
      afterAll(async () => cluster?.destroy());
      const running = (): RunningCluster => {
        if (cluster === undefined) throw new Error("the cluster is used before it was started");
        return cluster;
      };
      define({
        target,
        get endpoints() {
          return running().endpoints;
        },
        get cluster() {
          return running();
        },
      });
      if (binary.ours)
        test("the members logged no error and lost no link between them", () => expectCleanLogs(running()));
    });
  }
}

/** Tests by title, each given the client that its suite drives. */
export type Cases<Client> = Readonly<Record<string, (client: Client, target: Target) => Promise<void>>>;

/** Registers `cases` for every chosen target; `open` makes the client when the cluster runs. */
export function describeCases<Client>(
  cases: Cases<Client>,
  open: (cluster: TargetCluster) => Promise<Client>,
  close: (client: Client) => Promise<void>,
): void {
  describeTargets(Object.keys(cases), (cluster) => {
    let client: Client | undefined;
    beforeAll(async () => {
      client = await open(cluster);
    }, prepareTimeoutMs);
    afterAll(async () => {
      if (client !== undefined) await close(client);
    });
    for (const [title, run] of Object.entries(cases)) test(title, () => run(client!, cluster.target));
  });
}
