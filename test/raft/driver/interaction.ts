/** Runs scripts that drive whole clusters. One method per command. */
import { utf8Bytes } from "../../../src/base/bytes.js";
import type { ConfChange, ConfChangeV2 } from "../../../src/raft/conf-change.js";
import { ConfChangeTransition } from "../../../src/raft/conf-change.js";
import { describeProgressMap, describeRole } from "../../../src/raft/describe.js";
import type { MessageType } from "../../../src/raft/message.js";
import { messageTypes } from "../../../src/raft/message.js";
import { jointVoterIds } from "../../../src/raft/quorum/joint.js";
import type { Snapshot } from "../../../src/raft/types.js";
import type { MemberConfig } from "./cluster.js";
import { Cluster, defaultConfig, outcomeError } from "./cluster.js";
import { parseChanges, ScriptError } from "./confchange.js";
import { levelsText } from "./output.js";
import type { Command } from "./script.js";

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

export class InteractionDriver {
  private readonly cluster = new Cluster();
  private readonly commands: Readonly<Record<string, (command: Command) => void>> = {
    _breakpoint: () => {},
    "add-nodes": (command) => this.addNodes(command),
    campaign: (command) => this.cluster.member(firstId(command)).node.campaign(),
    compact: (command) => this.cluster.compact(firstId(command), Number(command.args[1]?.key)),
    "deliver-msgs": (command) => this.deliver(command),
    "process-ready": (command) =>
      this.forEach(command, "handling Ready", (id) => this.cluster.processReady(id)),
    "process-append-thread": (command) =>
      this.forEach(command, "processing append thread", (id) => this.cluster.processAppend(id)),
    "process-apply-thread": (command) =>
      this.forEach(command, "processing apply thread", (id) => this.cluster.processApply(id)),
    "log-level": (command) => {
      this.setLevel(command.args[0]?.key ?? "");
    },
    "raft-log": (command) => this.cluster.printLog(firstId(command)),
    "raft-state": () => this.printStates(),
    "set-randomized-election-timeout": (command) => {
      const { node } = this.cluster.member(firstId(command));
      node.state.timer.electionTimeout = Number(argument(command, "timeout"));
    },
    stabilize: (command) => this.stabilize(command),
    status: (command) => {
      const { state } = this.cluster.member(firstId(command)).node;
      if (state.role === "leader") this.cluster.output.write(describeProgressMap(state.tracker.progress));
    },
    "tick-election": (command) => this.tick(firstId(command), "electionTicks"),
    "tick-heartbeat": (command) => this.tick(firstId(command), "heartbeatTicks"),
    "transfer-leadership": (command) => {
      const to = BigInt(argument(command, "to"));
      this.cluster.member(Number(argument(command, "from"))).node.transferLeadership(to);
    },
    "forget-leader": (command) => this.cluster.member(firstId(command)).node.forgetLeader(),
    "send-snapshot": (command) => {
      const [from, to] = ids(command);
      this.cluster.sendSnapshot(from!, to!);
    },
    propose: (command) => {
      const { node } = this.cluster.member(firstId(command));
      throwError(outcomeError(node.propose([utf8Bytes(command.args[1]!.key)])));
    },
    "propose-conf-change": (command) => this.proposeConfChange(command),
    "report-unreachable": (command) => {
      const [on, of] = ids(command);
      if (of === undefined || command.args.length !== 2) {
        throw new ScriptError(
          "must specify exactly two node indexes: node on which to report, and reported node",
        );
      }
      this.cluster.member(on!).node.reportUnreachable(BigInt(of));
    },
  };

  run(command: Command): string {
    const { output } = this.cluster;
    try {
      const handler = this.commands[command.name];
      if (handler === undefined) throw new ScriptError("unknown command");
      handler(command);
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      if (output.quiet) return error.message;
      output.write(error.message);
    }
    const text = output.take();
    return text === "" ? "ok" : text;
  }

  private forEach(command: Command, header: string, work: (id: number) => void): void {
    const chosen = ids(command);
    for (const id of chosen) {
      if (chosen.length > 1) {
        this.cluster.output.write(`> ${id} ${header}\n`);
        this.cluster.output.indented(() => work(id));
      } else work(id);
    }
  }

  private tick(id: number, interval: "electionTicks" | "heartbeatTicks"): void {
    const { node, config } = this.cluster.member(id);
    for (let count = 0; count < config[interval]; count++) node.tick();
  }

  private setLevel(name: string): string {
    const previous = this.cluster.output.setLevel(name);
    if (previous === undefined) throw new ScriptError(levelsText);
    return previous;
  }

  private stabilize(command: Command): void {
    const level = command.args.find(({ key }) => key === "log-level")?.values[0];
    const previous = level === undefined ? undefined : this.setLevel(level);
    try {
      const chosen = ids(command);
      this.cluster.stabilize(chosen.length > 0 ? chosen : this.cluster.members.map((_, at) => at + 1));
    } finally {
      if (previous !== undefined) this.setLevel(previous);
    }
  }

  private printStates(): void {
    for (const { node } of this.cluster.members) {
      const { id, role, term, leader, config } = node.status();
      const voter = jointVoterIds(config).includes(id) ? "(Voter)" : "(Non-Voter)";
      this.cluster.output.write(`${id}: ${describeRole(role)} ${voter} Term:${term} Lead:${leader}\n`);
    }
  }

  private deliver(command: Command): void {
    const recipients: { readonly id: bigint; readonly drop: boolean }[] = [];
    let type: MessageType | undefined;
    for (const { key, values } of command.args) {
      if (values.length === 0) recipients.push({ id: BigInt(key), drop: false });
      else if (key === "drop") recipients.push(...values.map((id) => ({ id: BigInt(id), drop: true })));
      else if (key === "type") {
        type = messageTypes.find((known) => known === values[0]);
        if (type === undefined) throw new Error(`unknown message type ${values[0]}`);
      }
    }
    let count = 0;
    for (const { id, drop } of recipients) count += this.cluster.deliver(id, { drop, type });
    if (count === 0) this.cluster.output.write("no messages\n");
  }

  private addNodes(command: Command): void {
    const config: Mutable<MemberConfig> = { ...defaultConfig };
    const snapshot = { voters: [] as bigint[], learners: [] as bigint[], index: 0, content: "" };
    let isBootstrap = false;
    for (const { key, values } of command.args.slice(1)) {
      const [value = ""] = values;
      if (key === "voters" || key === "learners") snapshot[key].push(...values.map(BigInt));
      else if (key === "content") snapshot.content = value;
      else if (key === "index") {
        snapshot.index = Number(value);
        config.applied = snapshot.index;
      } else setOption(config, key, value);
    }
    isBootstrap =
      snapshot.voters.length + snapshot.learners.length + snapshot.index > 0 || snapshot.content !== "";
    if (isBootstrap && snapshot.index <= 1) {
      throw new ScriptError("index must be specified as > 1 due to bootstrap");
    }
    for (let count = 0; count < firstId(command); count++) {
      this.cluster.addMember(config, toSnapshot(snapshot, isBootstrap), isBootstrap);
    }
  }

  private proposeConfChange(command: Command): void {
    let isV1 = false;
    let transition: ConfChangeTransition = ConfChangeTransition.Auto;
    for (const { key, values } of command.args.slice(1)) {
      for (const value of values) {
        if (key === "v1") isV1 = value === "true";
        else if (key === "transition") transition = parseTransition(value);
        else throw new ScriptError(`unknown command ${key}`);
      }
    }
    const changes = parseChanges(command.input);
    const [first] = changes;
    let change: ConfChange | ConfChangeV2 = { version: 2, transition, changes, context: utf8Bytes("") };
    if (isV1) {
      if (changes.length > 1 || first === undefined || transition !== ConfChangeTransition.Auto) {
        throw new ScriptError("v1 conf change can only have one operation and no transition");
      }
      change = { version: 1, id: 0n, ...first, context: utf8Bytes("") };
    }
    throwError(outcomeError(this.cluster.member(firstId(command)).node.proposeConfChange(change)));
  }
}

function setOption(config: Mutable<MemberConfig>, key: string, value: string): void {
  switch (key) {
    case "inflight":
      config.inflightMessagesMax = Number(value);
      return;
    case "async-storage-writes":
      config.asyncStorageWrites = value === "true";
      return;
    case "prevote":
      config.preVote = value === "true";
      return;
    case "checkquorum":
      config.checkQuorum = value === "true";
      return;
    case "max-committed-size-per-ready":
      config.committedBytesMax = Number(value);
      return;
    case "disable-conf-change-validation":
      config.disableConfChangeValidation = value === "true";
      return;
    case "read-only":
      if (value !== "safe" && value !== "lease-based") {
        throw new ScriptError(`invalid read-only option "${value}"`);
      }
      config.readOnlyOption = value === "safe" ? "safe" : "leaseBased";
      return;
    case "step-down-on-removal":
      config.stepDownOnRemoval = value === "true";
      return;
    default:
  }
}

function toSnapshot(
  given: {
    readonly voters: bigint[];
    readonly learners: bigint[];
    readonly index: number;
    readonly content: string;
  },
  isBootstrap: boolean,
): Snapshot {
  const { voters, learners, index, content } = given;
  const confState = { voters, learners, votersOutgoing: [], learnersNext: [], autoLeave: false };
  return { data: utf8Bytes(content), metadata: { index, term: isBootstrap ? 1 : 0, confState } };
}

function parseTransition(text: string): ConfChangeTransition {
  switch (text) {
    case "auto":
      return ConfChangeTransition.Auto;
    case "implicit":
      return ConfChangeTransition.JointImplicit;
    case "explicit":
      return ConfChangeTransition.JointExplicit;
    default:
      throw new ScriptError(`unknown transition ${text}`);
  }
}

function throwError(text: string | undefined): void {
  if (text !== undefined) throw new ScriptError(text);
}

function ids({ args }: Command): number[] {
  return args.filter(({ values }) => values.length === 0).map(({ key }) => Number(key));
}

function firstId(command: Command): number {
  return Number(command.args[0]?.key);
}

function argument(command: Command, name: string): string {
  const value = command.args.find(({ key }) => key === name)?.values[0];
  if (value === undefined) throw new Error(`line ${command.line}: ${command.name} needs ${name}`);
  return value;
}
