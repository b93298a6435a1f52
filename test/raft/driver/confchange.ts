/** Runs scripts of configuration changes: simple, enter-joint, leave-joint. */
import type { ConfChangeSingle } from "../../../src/raft/conf-change.js";
import { ConfChangeType } from "../../../src/raft/conf-change.js";
import {
  ConfChangeError,
  changeSimply,
  enterJoint,
  leaveJoint,
} from "../../../src/raft/confchange/changer.js";
import { describeConfig, describeProgressMap } from "../../../src/raft/describe.js";
import type { TrackedConfig } from "../../../src/raft/tracker/tracker.js";
import { emptyConfState } from "../../../src/raft/types.js";
import type { Command } from "./script.js";

const types: Readonly<Record<string, ConfChangeType>> = {
  v: ConfChangeType.AddNode,
  l: ConfChangeType.AddLearnerNode,
  r: ConfChangeType.RemoveNode,
  u: ConfChangeType.UpdateNode,
};

/** What a script gets wrong on purpose: its text is the output. */
export class ScriptError extends Error {}

/** Operations as v1 (voter), l2 (learner), r3 (remove), u4 (update), separated by spaces. */
export function parseChanges(text: string): ConfChangeSingle[] {
  return text
    .trim()
    .split(" ")
    .filter((word, position) => position > 0 || word !== "")
    .map((word) => {
      if (word.length < 2) throw new ScriptError(`unknown token ${word}`);
      const type = types[word[0]!];
      if (type === undefined) throw new ScriptError(`unknown input: ${word}`);
      return { type, nodeId: BigInt(word.slice(1)) };
    });
}

export class ConfChangeDriver {
  private tracked: TrackedConfig = { config: emptyConfState, progress: new Map() };
  private lastIndex = 0;

  run(command: Command): string {
    try {
      this.tracked = this.change(command);
      return `${describeConfig(this.tracked.config)}\n${describeProgressMap(this.tracked.progress)}`;
    } catch (error) {
      if (error instanceof ConfChangeError || error instanceof ScriptError) return `${error.message}\n`;
      throw error;
    } finally {
      this.lastIndex++;
    }
  }

  private change({ name, args, input }: Command): TrackedConfig {
    const context = {
      lastIndex: this.lastIndex,
      inflightLimits: { messagesMax: 10, bytesMax: Number.POSITIVE_INFINITY },
    };
    const changes = parseChanges(input);
    switch (name) {
      case "simple":
        return changeSimply(this.tracked, changes, context);
      case "enter-joint": {
        const autoLeave = args.find(({ key }) => key === "autoleave")?.values[0] === "true";
        return enterJoint(this.tracked, changes, { ...context, autoLeave });
      }
      case "leave-joint":
        if (changes.length > 0) throw new ScriptError("this command takes no input");
        return leaveJoint(this.tracked, context);
      default:
        throw new ScriptError("unknown command");
    }
  }
}
