/**
 * How a process ends. On SIGTERM or SIGINT the member is stopped, and then the process ends by that signal, as etcd
 * does (as process 1 of a container, where that is not possible, with status 0); a second signal ends it at once. A failure is one fatal line and status 1. An error that nobody expected is one panic line with
 * its stack and status 2, as a Go program has it.
 */
import { AssertionError } from "../base/assert.js";
import type { RunningServer } from "./compose.js";
import type { LogWriter } from "./log-writer.js";

export const ExitStatus = { ok: 0, failure: 1, usage: 2, panic: 2 } as const;

/** Operators give a process 1.5 s; what is not done by then is done by the next start from the log. */
const stopMsMax = 1_400;

const signals = { SIGTERM: "terminated", SIGINT: "interrupt" } as const;
type StopSignal = keyof typeof signals;
const signalNumbers = { SIGTERM: 15, SIGINT: 2 } as const;

export class ProcessLife {
  private server: RunningServer | undefined;
  private stopSignal: StopSignal | undefined;

  constructor(private readonly log: LogWriter) {
    for (const signal of Object.keys(signals) as StopSignal[]) {
      process.on(signal, () => this.onSignal(signal));
    }
  }

  get stopping(): boolean {
    return this.stopSignal !== undefined;
  }

  /** From now on a signal stops `server`; one that came before stops it now. */
  serve(server: RunningServer): void {
    this.server = server;
    if (this.stopping) void this.stop(server);
  }

  /** The member can not start, or not go on. Does not return. */
  fail(message: string, error: unknown): never {
    if (error instanceof AssertionError || error instanceof TypeError || !(error instanceof Error)) {
      panic(this.log, message, error);
    }
    this.log.fatal("server/main", message, { error });
    process.exit(ExitStatus.failure);
  }

  /** Ends the process that was told to stop, once everything is closed. */
  finish(): never {
    this.log.info("server/main", "closed etcd server");
    this.endBySignal();
  }

  private onSignal(signal: StopSignal): void {
    if (this.stopSignal !== undefined) {
      this.log.warn("server/main", "received a second signal; exiting at once", { signal: signals[signal] });
      this.end(128 + signalNumbers[signal]);
    }
    this.stopSignal = signal;
    this.log.info("server/main", "received signal; shutting down", { signal: signals[signal] });
    setTimeout(() => {
      this.log.warn("server/main", "shutdown takes too long; exiting", { "limit-ms": stopMsMax });
      this.endBySignal();
    }, stopMsMax);
    if (this.server !== undefined) void this.stop(this.server);
  }

  private async stop(server: RunningServer): Promise<void> {
    try {
      await server.stop();
    } catch (error) {
      this.fail("failed to stop", error);
    }
    this.finish();
  }

  /** What the parent sees is then the truth: it asked the process to end, and that is why it ended. */
  private endBySignal(): never {
    const signal = this.stopSignal;
    if (signal === undefined || process.pid === 1) this.end(ExitStatus.ok);
    this.log.flush();
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // Reached only where the signal is blocked or ignored by who started the process.
    process.exit(128 + signalNumbers[signal]);
  }

  private end(status: number): never {
    this.log.flush();
    process.exit(status);
  }
}

/** Sends what Node.js would print by itself to the log, and makes the log complete however the process ends. */
export function guardProcess(log: LogWriter): void {
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    log.warn("server/runtime", warning.message, { warning: warning.name });
  });
  process.on("uncaughtException", (error) => panic(log, "uncaught error", error));
  process.on("unhandledRejection", (reason) => panic(log, "unhandled rejection", reason));
  process.on("exit", () => log.flush());
}

function panic(log: LogWriter, message: string, error: unknown): never {
  const stacktrace = error instanceof Error ? error.stack : undefined;
  log.panic("server/runtime", message, { error: error instanceof Error ? error : String(error), stacktrace });
  process.exit(ExitStatus.panic);
}
