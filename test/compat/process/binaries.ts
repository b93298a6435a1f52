import { describe, test } from "vitest";
import { leaveOut } from "../../support/leave-out.js";
import { etcdBinary, isAtLeast, ourBinary, type ServerBinary } from "../../support/server-binary.js";
import { chosenTargets, isMissing } from "../targets.js";

/** A case about one server process, which it starts itself. */
export interface ProcessCase {
  readonly title: string;
  /** etcd's version that brought it. */
  readonly since?: readonly [major: number, minor: number];
  /** Why only our own server does so; etcd is not asked. */
  readonly oursAlone?: string;
  /** Why ours does otherwise. */
  readonly etcdAlone?: string;
  readonly run: (binary: ServerBinary) => Promise<void>;
}

/** Registers the cases once for our server and once for etcd, as far as targets of either are chosen. */
export function describeBinaries(cases: readonly ProcessCase[]): void {
  const kinds = [
    { name: "quorate", find: ourBinary },
    { name: "etcd", find: etcdBinary },
  ];
  for (const { name, find } of kinds) {
    if (!chosenTargets().some((target) => target.startsWith(name))) continue;
    describe(name, () => {
      const binary = find();
      if (isMissing(binary)) {
        leaveOut(
          cases.map((each) => each.title),
          binary.missing,
        );
        return;
      }
      for (const each of cases) register(each, binary);
    });
  }
}

function register(each: ProcessCase, binary: ServerBinary): void {
  const { title, since, oursAlone, etcdAlone } = each;
  const otherAlone = binary.ours ? etcdAlone : oursAlone;
  if (since !== undefined && !isAtLeast(binary.version, ...since)) {
    test.skip(`${title} (left out: needs ${since.join(".")}, this is ${binary.version})`, () => undefined);
  } else if (otherAlone === undefined) {
    test(title, () => each.run(binary));
  } else {
    test.skip(`${title} (left out: ${otherAlone})`, () => undefined);
  }
}
