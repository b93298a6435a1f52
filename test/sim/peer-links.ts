/**
 * The links of one process to its peers: encoded messages and streamed images over the simulated network. Those
 * of one turn to one peer travel together, as they do in a frame.
 */
import type { LeaseId, MemberId } from "../../src/base/brand.js";
import type { LeasePeers, LeaseTimes, RenewedSeconds } from "../../src/ports/lease-peers.js";
import type { Peer, PeerTransport } from "../../src/ports/peer-transport.js";
import type { StoreImage } from "../../src/ports/revision-store.js";
import type { Message, SnapshotMessage } from "../../src/raft/message.js";
import { encodeMessage } from "../../src/raft/message-codec.js";
import {
  decodeRenewals,
  decodeRenewed,
  decodeTimes,
  decodeTimesRequest,
  encodeRenewals,
  encodeRenewed,
  encodeTimes,
  encodeTimesRequest,
} from "../../src/transport/peer/lease-protocol.js";
import type { MemberProcess } from "./member-process.js";
import type { Answering, Network } from "./network.js";

export class PeerLinks implements PeerTransport, LeasePeers {
  private peers: ReadonlySet<MemberId> = new Set();
  /** Who spoke to this member, as it must be able to answer those that its own log does not tell of yet. */
  private readonly met = new Set<MemberId>();

  constructor(
    private readonly process: MemberProcess,
    private readonly network: Network,
    /** Whom a process that joins was told to find, before its log says who is there. */
    private readonly known: readonly MemberId[],
    private readonly sent: (message: Message) => void,
  ) {}

  setPeers(peers: readonly Peer[]): void {
    const ids = peers.length === 0 ? this.known : peers.map(({ id }) => id);
    this.peers = new Set(ids.filter((id) => id !== this.process.machine.id));
  }

  /** A message of `from` arrived. */
  heard(from: MemberId): void {
    this.met.add(from);
  }

  get activeCount(): number {
    return [...this.peers].filter((id) => this.isActive(id)).length;
  }

  isActive(peer: MemberId): boolean {
    return this.network.reaches(this.process.machine.id, peer);
  }

  send(messages: readonly Message[]): void {
    if (!this.process.alive) return;
    const batches = new Map<MemberId, Uint8Array[]>();
    for (const message of messages) {
      if (!this.peers.has(message.to) && !this.met.has(message.to)) continue;
      this.sent(message);
      const batch = batches.get(message.to) ?? [];
      batch.push(encodeMessage(message));
      batches.set(message.to, batch);
    }
    for (const [to, batch] of batches) this.network.send(this.process, to, batch);
  }

  sendSnapshot(message: SnapshotMessage, image: StoreImage): void {
    if (!this.process.alive) return;
    this.stream(message, image).catch((error: unknown) =>
      this.network.imageFailed(this.process, message, error),
    );
  }

  async renewLeases(
    leader: MemberId,
    leases: readonly LeaseId[],
    timeoutMs: number,
  ): Promise<readonly RenewedSeconds[]> {
    const answer: Answering = async ({ member }, question) => {
      const asked = decodeRenewals(question);
      const renewed = await Promise.all(asked.map((lease) => member.leaseDesk.renewHere(lease)));
      return encodeRenewed(asked, renewed);
    };
    const options = { timeoutMs, answer };
    return decodeRenewed(await this.network.ask(this.process, leader, encodeRenewals(leases), options));
  }

  async leaseTimes(
    leader: MemberId,
    lease: LeaseId,
    { keys, timeoutMs }: { readonly keys: boolean; readonly timeoutMs: number },
  ): Promise<LeaseTimes | "unknown"> {
    const answer: Answering = async ({ member }, question) => {
      const asked = decodeTimesRequest(question);
      return encodeTimes(asked.lease, await member.leaseDesk.timesHere(asked.lease, asked));
    };
    const question = encodeTimesRequest(lease, keys);
    return decodeTimes(await this.network.ask(this.process, leader, question, { timeoutMs, answer }));
  }

  async close(): Promise<void> {}

  private async stream(message: SnapshotMessage, image: StoreImage): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of image.chunks()) chunks.push(chunk.slice());
    await image.close();
    this.network.sendImage(this.process, encodeMessage(message), message, chunks);
  }
}
