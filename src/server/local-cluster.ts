/**
 * `npm start`: three members on this machine as three processes, for trying things. Data stays under data/, so
 * that the next start finds it.
 *
 * A member that dies is started again after three seconds: long enough to see that the other two go on without
 * it, which is what people kill one for. One that dies before the cluster was ready, or within five seconds of
 * its start, would only die again, so everything is stopped and the reason is shown.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  busyText,
  clientPorts,
  type LocalMember,
  localMembers,
  memberArguments,
  memberLine,
  peerPorts,
  readyText,
} from "./local-members.js";

const restartDelayMs = 3_000;
const shortLifeMs = 5_000;
/** Above the 1.5 s that a member takes at most. */
const stopMsMax = 3_000;

class LocalCluster {
  private readonly children = new Map<LocalMember, ChildProcess>();
  private readonly readyMembers = new Set<LocalMember>();
  private announced = false;
  private stopping = false;
  private exitStatus = 0;

  constructor(private readonly members: readonly LocalMember[]) {}

  start(): void {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => this.stop(0));
    for (const member of this.members) this.startMember(member);
  }

  private startMember(member: LocalMember): void {
    const startedMs = performance.now();
    const entry = fileURLToPath(new URL("./main.js", import.meta.url));
    // Of its own process group: Ctrl-C in the terminal reaches this process alone, which tells each member once.
    const child = spawn(
      process.execPath,
      [...process.execArgv, entry, ...memberArguments(member, this.members)],
      {
        detached: true,
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    this.children.set(member, child);
    createInterface({ input: child.stderr! }).on("line", (line) => this.onLine(member, line));
    child.on("exit", (code, signal) => {
      this.children.delete(member);
      this.onExit(member, signal ?? `status ${code}`, performance.now() - startedMs);
    });
  }

  private onLine(member: LocalMember, line: string): void {
    process.stdout.write(memberLine(member, line));
    if (this.announced || !line.includes("ready to serve client requests")) return;
    this.readyMembers.add(member);
    if (this.readyMembers.size < this.members.length) return;
    this.announced = true;
    process.stdout.write(readyText(this.members));
  }

  private onExit(member: LocalMember, how: string, livedMs: number): void {
    if (this.stopping) {
      if (this.children.size === 0) process.exit(this.exitStatus);
      return;
    }
    if (!this.announced || livedMs < shortLifeMs) {
      process.stdout.write(memberLine(member, `ended (${how}) right after its start; stopping the others`));
      this.stop(1);
      return;
    }
    process.stdout.write(
      memberLine(member, `ended (${how}); starting it again in ${restartDelayMs / 1_000} s`),
    );
    setTimeout(() => {
      if (!this.stopping) this.startMember(member);
    }, restartDelayMs);
  }

  /** npm forwards Ctrl-C a second time, so only the first signal counts; members that hang are killed. */
  private stop(status: number): void {
    if (this.stopping) return;
    this.stopping = true;
    this.exitStatus = status;
    if (this.children.size === 0) process.exit(status);
    for (const child of this.children.values()) child.kill("SIGTERM");
    setTimeout(() => {
      for (const child of this.children.values()) child.kill("SIGKILL");
    }, stopMsMax).unref();
  }
}

/** The first port of `ports` that another program holds, or undefined. */
async function findBusyPort(ports: readonly number[]): Promise<number | undefined> {
  for (const port of ports) {
    const free = await new Promise<boolean>((answer) => {
      const probe = createServer();
      probe.once("error", () => answer(false));
      probe.listen({ host: "127.0.0.1", port }, () => probe.close(() => answer(true)));
    });
    if (!free) return port;
  }
  return undefined;
}

const busyPort = await findBusyPort([...clientPorts, ...peerPorts]);
if (busyPort === undefined) {
  new LocalCluster(localMembers(resolve("data"))).start();
} else {
  process.stderr.write(busyText(busyPort));
  process.exitCode = 1;
}
