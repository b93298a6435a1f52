/** Who may connect when certificates are asked for, and what the log says of those who may not. */
import { copyFileSync, readFileSync } from "node:fs";
import { connect } from "node:tls";
import { Etcd3 } from "etcd3";
import { describe, expect } from "vitest";
import type { TlsFiles } from "../../support/certificates.js";
import { runToEnd } from "../../support/child-process.js";
import {
  memberArgs,
  planCluster,
  type RunningCluster,
  type RunningMember,
  startCluster,
  startMember,
} from "../../support/cluster.js";
import { httpGet } from "../../support/http-get.js";
import { isAtLeast, type ServerBinary } from "../../support/server-binary.js";
import { logMessage } from "../../support/server-log.js";
import { describeBinaries, type ProcessCase } from "./binaries.js";

const requestTimeoutMs = 5_000;

async function withCluster(
  binary: ServerBinary,
  count: number,
  use: (cluster: RunningCluster, tls: TlsFiles) => Promise<void>,
): Promise<void> {
  const cluster = await startCluster(binary, count, { extraArgs: [], withTls: true });
  try {
    await use(cluster, cluster.tls!);
  } finally {
    await cluster.destroy();
  }
}

/** Resolves when the member says that it turned somebody away. */
async function refusal(binary: ServerBinary, member: RunningMember, endpoint: string): Promise<void> {
  const text = isAtLeast(binary.version, 3, 5)
    ? `rejected connection on ${endpoint} endpoint`
    : "rejected connection";
  await member.process.stderr.waitFor(`"${text}"`, (line) => logMessage(line) === text);
}

type Credentials = { readonly ca?: string; readonly cert?: string; readonly key?: string };

/** Ends when the server at `port` ends the connection; resolves with what it sent before. */
function knock(port: number, credentials: Credentials): Promise<string> {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const { ca, cert, key } = credentials;
  return new Promise((resolve) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: ca !== undefined,
      ...(ca === undefined ? {} : { ca: read(ca)! }),
      ...(cert === undefined ? {} : { cert: read(cert)!, key: read(key)! }),
    });
    let received = "";
    socket.on("secureConnect", () =>
      socket.write("GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    );
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(received));
  });
}

const clientCases: readonly ProcessCase[] = [
  {
    title: "a client whose certificate the authority signed is served, by gRPC and HTTP",
    run: (binary) =>
      withCluster(binary, 1, async ({ members: [member] }, tls) => {
        expect((await member!.get("/health", requestTimeoutMs)).status).toBe(200);
        expect(await knock(member!.plan.clientPort, { ca: tls.ca, ...tls.client })).toContain(" 200 OK");
      }),
  },
  {
    title: "a client without a certificate is refused, and the log says so",
    run: (binary) =>
      withCluster(binary, 1, async ({ members: [member] }, tls) => {
        expect(await knock(member!.plan.clientPort, { ca: tls.ca })).toBe("");
        await refusal(binary, member!, "client");
      }),
  },
  {
    title: "a client with a certificate of another authority is refused, and the log says so",
    run: (binary) =>
      withCluster(binary, 1, async ({ members: [member] }, tls) => {
        expect(await knock(member!.plan.clientPort, { ca: tls.ca, ...tls.stranger.client })).toBe("");
        await refusal(binary, member!, "client");
      }),
  },
  {
    title: "a client that trusts another authority turns away itself, and the log says so",
    run: (binary) =>
      withCluster(binary, 1, async ({ members: [member] }, tls) => {
        // Node.js would finish the handshake and then hang up; this one says in the handshake what it thinks.
        const where = ["-connect", member!.endpoint, "-CAfile", tls.stranger.ca, "-verify_return_error"];
        const who = ["-cert", tls.client.cert, "-key", tls.client.key];
        const finished = await runToEnd("openssl", ["s_client", ...where, ...who], {
          env: {},
          cwd: undefined,
          input: undefined,
          timeoutMs: requestTimeoutMs,
        });
        expect(finished.code).toBe(1);
        await refusal(binary, member!, "client");
      }),
  },
  {
    title: "a renewed certificate is shown to the next client, without a restart",
    run: (binary) =>
      withCluster(binary, 1, async ({ members: [member] }, tls) => {
        const other = { ca: tls.stranger.ca, ...tls.client };
        expect(await knock(member!.plan.clientPort, other)).toBe("");
        copyFileSync(tls.stranger.server.cert, tls.server.cert);
        copyFileSync(tls.stranger.server.key, tls.server.key);
        expect(await knock(member!.plan.clientPort, other)).toContain(" 200 OK");
      }),
  },
  {
    title: "plain text on a port with TLS is refused, and the log says so",
    run: (binary) =>
      withCluster(binary, 1, async ({ members: [member] }) => {
        const url = `http://${member!.endpoint}/health`;
        const answer = await httpGet(url, requestTimeoutMs).catch(() => undefined);
        expect(answer?.status).not.toBe(200);
        await refusal(binary, member!, "client");
      }),
  },
  {
    title: "an https URL without certificate and key ends with code 1 and says which flags are missing",
    run: async (binary) => {
      const plan = await planCluster(1);
      const [member] = plan.members;
      const args = memberArgs(binary, member!, plan.members);
      const url = `https://127.0.0.1:${member!.clientPort}`;
      const finished = await runToEnd(
        binary.path,
        [...args, "--listen-client-urls", url, "--advertise-client-urls", url],
        { env: {}, cwd: undefined, input: undefined, timeoutMs: requestTimeoutMs },
      );
      await plan.directory.remove();
      expect(finished.code).toBe(1);
      expect(finished.stderr).toContain(
        `TLS key/cert (--cert-file, --key-file) must be provided for client url ${url} with HTTPS scheme`,
      );
    },
  },
];

function openClient(members: readonly RunningMember[], tls: TlsFiles): Etcd3 {
  return new Etcd3({
    hosts: members.map((member) => member.url("")),
    credentials: {
      rootCertificate: readFileSync(tls.ca),
      certChain: readFileSync(tls.client.cert),
      privateKey: readFileSync(tls.client.key),
    },
  });
}

const peerCases: readonly ProcessCase[] = [
  {
    title: "three members speak TLS to each other: a write at each is read at all",
    run: (binary) =>
      withCluster(binary, 3, async ({ members }, tls) => {
        const clients = members.map((member) => openClient([member], tls));
        try {
          for (const [at, client] of clients.entries()) await client.put(`key ${at}`).value(`value ${at}`);
          const all = { "key 0": "value 0", "key 1": "value 1", "key 2": "value 2" };
          for (const client of clients) expect(await client.getAll().strings()).toEqual(all);
        } finally {
          for (const client of clients) client.close();
        }
        for (const member of members) {
          const refusals = member.process.stderr.lines.filter((line) => line.includes("rejected connection"));
          expect(refusals).toEqual([]);
        }
      }),
  },
  {
    title:
      "whoever has no certificate of the members' authority is refused on the peer port, and the log says so",
    run: (binary) =>
      withCluster(binary, 1, async ({ members: [member] }, tls) => {
        expect(await knock(member!.plan.peerPort, { ca: tls.ca })).toBe("");
        expect(await knock(member!.plan.peerPort, { ca: tls.ca, ...tls.stranger.client })).toBe("");
        await refusal(binary, member!, "peer");
      }),
  },
  {
    title: "a member with a certificate of another authority is kept out, the others serve",
    run: async (binary) => {
      const plan = await planCluster(3, { withTls: true });
      const { stranger } = plan.members[0]!.tls!;
      const members = plan.members.map((member, at) =>
        startMember(binary, member, {
          members: plan.members,
          extraArgs:
            at < 2 ? [] : ["--peer-cert-file", stranger.server.cert, "--peer-key-file", stranger.server.key],
        }),
      );
      try {
        await Promise.all(members.slice(0, 2).map((member) => member.healthy()));
        await Promise.all(members.slice(0, 2).map((member) => refusal(binary, member, "peer")));
        const outside = await members[2]!.get("/health", requestTimeoutMs).catch(() => undefined);
        expect(outside?.status).not.toBe(200);
      } finally {
        await Promise.all(members.map((member) => member.process.kill()));
        await plan.directory.remove();
      }
    },
  },
];

describe("TLS for clients", () => describeBinaries(clientCases));
describe("TLS between members", () => describeBinaries(peerCases));
