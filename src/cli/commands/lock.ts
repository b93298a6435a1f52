/** `lock`: holds a lock, while a program runs or until interrupted. */
import {
  type HeldLock,
  type Session as LockSession,
  Mutex,
  openSession,
  RecipeError,
} from "../../recipes/index.js";
import { failureText } from "../client-error.js";
import type { CommandContext, CommandSpec } from "../command.js";
import { badArguments, CliFailure, ExitCode } from "../failure.js";
import { untilAborted } from "../until-aborted.js";

const failed = (text: string): CliFailure => new CliFailure(ExitCode.Error, text);

export const lockCommand: CommandSpec = {
  use: "lock <lockname> [exec-command arg1 arg2 ...]",
  description: `Waits for the lock, and holds it while the program runs, or, without one, until interrupted; then it prints the
key that is there as long as the lock is held.

The program finds that key in ETCD_LOCK_KEY, and in ETCD_LOCK_REV the revision at which the lock was had. Its flags
need a '--' before it:

$ lock <lockname> -- ls -l`,
  flags: [
    {
      name: "ttl",
      kind: "int",
      default: 10n,
      usage: "seconds after which the others go on when this process died",
    },
  ],
  async run(context) {
    const [name, ...command] = context.positional;
    if (name === undefined) {
      throw badArguments("lock takes a lock name argument and an optional command to execute");
    }
    const interrupted = context.host.untilInterrupted();
    const client = (await context.session()).client();
    const ttlSeconds = Number(context.flags.int("ttl"));
    const session = await openSession(client, ttlSeconds > 0 ? { ttlSeconds } : {});
    try {
      const held = await acquire(session, name, interrupted);
      if (command.length > 0) await runLocked(context, held, command);
      else await holdLock(context, held, interrupted);
    } finally {
      // What cannot be ended now ends by itself, after its TTL.
      await session.close().catch(() => {});
    }
  },
};

async function acquire(session: LockSession, name: string, signal: AbortSignal): Promise<HeldLock> {
  try {
    return await new Mutex(session, name).lock({ signal });
  } catch (error) {
    if (signal.aborted) throw failed("context canceled");
    throw error instanceof RecipeError ? failed("mutex: session is expired") : error;
  }
}

async function runLocked(context: CommandContext, held: HeldLock, command: readonly string[]): Promise<void> {
  const key = Buffer.from(held.key).toString();
  const { exitCode, problem } = await context.host.execute(command, {
    ETCD_LOCK_KEY: key,
    ETCD_LOCK_REV: String(held.header.revision),
  });
  const unlocked = held.unlock();
  if (problem !== "") {
    await unlocked.catch(() => {});
    // Of a program that a signal ended Go tells −1, of which a process keeps the last eight bits.
    throw new CliFailure((exitCode ?? ExitCode.Error) & 0xff, problem);
  }
  await unlocked;
}

async function holdLock(context: CommandContext, held: HeldLock, interrupted: AbortSignal): Promise<void> {
  const session = await context.session();
  const response = await session.client().kv.get(held.key, { signal: interrupted });
  if (response.kvs.length === 0) throw failed("lock lost on init");
  session.printer.print({ kind: "get", response, valueOnly: false });
  await untilAborted(interrupted, held.lost);
  if (!interrupted.aborted) throw failed("session expired");
  await held.unlock().catch((error: unknown) => {
    throw failed(failureText(error));
  });
}
