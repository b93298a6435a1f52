import { type ChildProcess, spawn } from "node:child_process";
import { LineLog } from "./line-log.js";

export interface ProcessExit {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** What it reads on its standard input; undefined: nothing is there. */
  readonly input: string | undefined;
}

const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** A process that a test started. It does not outlive the test's own process. */
export class TestProcess {
  readonly stdout: LineLog;
  readonly stderr: LineLog;
  /** Resolves when it has ended and both streams are read. Rejects when it could not be started. */
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  #ended = false;

  constructor(command: string, args: readonly string[], options: SpawnOptions) {
    const child = spawn(command, [...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
    });
    this.#child = child;
    alive.add(child);
    // A process that ends without reading breaks the pipe; its exit code tells the story.
    child.stdin.once("error", () => undefined);
    child.stdin.end(options.input ?? "");
    this.stdout = new LineLog(child.stdout);
    this.stderr = new LineLog(child.stderr);
    this.exited = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        this.#ended = true;
        alive.delete(child);
        resolve({ code, signal });
      });
    });
    // Whoever waits sees the failure; nobody has to.
    this.exited.catch(() => alive.delete(child));
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the process was not started");
    return this.#child.pid;
  }

  get running(): boolean {
    return !this.#ended;
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  /** Ends it by SIGTERM, or by SIGKILL when that takes longer than `graceMs`. */
  async stop(graceMs: number): Promise<ProcessExit> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async kill(): Promise<ProcessExit> {
    this.signal("SIGKILL");
    return this.exited;
  }
}

export interface FinishedProcess extends ProcessExit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; `timeoutMs` kills it. A code that is not 0 is not an error here. */
export async function runToEnd(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { readonly timeoutMs: number },
): Promise<FinishedProcess> {
  const started = new TestProcess(command, args, options);
  const timer = setTimeout(() => started.signal("SIGKILL"), options.timeoutMs);
  try {
    const exit = await started.exited;
    return { ...exit, stdout: started.stdout.text, stderr: started.stderr.text };
  } finally {
    clearTimeout(timer);
  }
}
