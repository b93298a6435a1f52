/**
 * A network of our own for one cluster: a namespace a member, joined by a bridge that leads nowhere else. Links
 * between members can be cut, silently and both ways, while clients on this machine still reach every member.
 * Needs Linux, root and iproute2.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { ClusterPlan, MemberPlan } from "../test/support/cluster.js";
import { findProgram } from "../test/support/server-binary.js";
import type { Ground } from "./victims.js";

/** Why this machine can not do it, or undefined. */
export function namespacesMissing(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are of Linux";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  if (findProgram("ip") === undefined) return "ip (iproute2) is not in PATH";
  const name = `quorate-probe-${randomBytes(3).toString("hex")}`;
  try {
    ip("netns", "add", name);
    ip("netns", "delete", name);
  } catch (error) {
    return `network namespaces can not be made here: ${(error as Error).message.split("\n")[0]}`;
  }
  return undefined;
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

interface Place {
  readonly namespace: string;
  readonly address: string;
}

export class Namespaces implements Ground {
  private readonly places = new Map<string, Place>();
  private readonly addressOfPort = new Map<number, string>();
  private readonly bridge: string;

  private constructor(tag: string) {
    this.bridge = `qb${tag}`;
  }

  /** To be removed by `remove`, however the test ends. Leaves nothing behind where it fails. */
  static async build(plan: ClusterPlan): Promise<Namespaces> {
    const tag = randomBytes(3).toString("hex");
    const network = new Namespaces(tag);
    try {
      network.lay(plan, tag);
    } catch (error) {
      // What was not made yet can not be removed either; the first failure is the one to tell.
      await network.remove().catch(() => undefined);
      throw error;
    }
    return network;
  }

  private lay(plan: ClusterPlan, tag: string): void {
    const subnet = `10.${200 + (randomBytes(1)[0]! % 50)}.${randomBytes(1)[0]}`;
    ip("link", "add", this.bridge, "type", "bridge");
    ip("address", "add", `${subnet}.254/24`, "dev", this.bridge);
    ip("link", "set", this.bridge, "up");
    plan.members.forEach((member, at) => {
      const place = { namespace: `q${tag}-${at}`, address: `${subnet}.${at + 1}` };
      const ends = { outer: `qh${tag}${at}`, inner: `qn${tag}${at}` };
      ip("netns", "add", place.namespace);
      this.places.set(member.name, place);
      this.addressOfPort.set(member.clientPort, place.address).set(member.peerPort, place.address);
      ip("link", "add", ends.outer, "type", "veth", "peer", "name", ends.inner);
      ip("link", "set", ends.outer, "master", this.bridge, "up");
      ip("link", "set", ends.inner, "netns", place.namespace);
      ip("-n", place.namespace, "link", "set", "lo", "up");
      ip("-n", place.namespace, "address", "add", `${place.address}/24`, "dev", ends.inner);
      ip("-n", place.namespace, "link", "set", ends.inner, "up");
    });
  }

  endpoint(member: MemberPlan): string {
    return `${this.place(member).address}:${member.clientPort}`;
  }

  /** The loopback addresses of `args` become those of the members' places: ports tell whose they are. */
  command(member: MemberPlan, path: string, args: readonly string[]): readonly string[] {
    const moved = args.map((arg) =>
      arg.replace(/127\.0\.0\.1:(\d+)/g, (_, port) => this.locate(Number(port))),
    );
    return ["ip", "netns", "exec", this.place(member).namespace, path, ...moved];
  }

  /** From now on neither hears the other. */
  cut(one: MemberPlan, other: MemberPlan): void {
    this.route("add", one, other);
    this.route("add", other, one);
  }

  heal(one: MemberPlan, other: MemberPlan): void {
    this.route("delete", one, other);
    this.route("delete", other, one);
  }

  async remove(): Promise<void> {
    const failures: unknown[] = [];
    const attempt = (...args: readonly string[]): void => {
      try {
        ip(...args);
      } catch (error) {
        failures.push(error);
      }
    };
    // With a namespace its end of the pair goes, and with that the other end.
    for (const { namespace } of this.places.values()) attempt("netns", "delete", namespace);
    attempt("link", "delete", this.bridge);
    if (failures.length > 0) throw failures[0];
  }

  /** A packet to or from an address without a route is dropped, and nobody is told. */
  private route(change: "add" | "delete", at: MemberPlan, to: MemberPlan): void {
    const { namespace } = this.place(at);
    ip("-n", namespace, "route", change, "blackhole", `${this.place(to).address}/32`);
  }

  private locate(port: number): string {
    const address = this.addressOfPort.get(port);
    if (address === undefined) throw new Error(`no member has port ${port}`);
    return `${address}:${port}`;
  }

  private place(member: MemberPlan): Place {
    const place = this.places.get(member.name);
    if (place === undefined) throw new Error(`no place for ${member.name}`);
    return place;
  }
}
