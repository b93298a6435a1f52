/** Programs that a command runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { ChildEnd } from "./command.js";

/** `output`: "inherit" for our own, else what takes the program's standard output and errors. */
export function execute(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  output: "inherit" | { out(bytes: Uint8Array): void; error(bytes: Uint8Array): void },
): Promise<ChildEnd> {
  const [program = "", ...rest] = command;
  const stdio = output === "inherit" ? "inherit" : "pipe";
  return new Promise((resolve) => {
    const child: ChildProcess = spawn(program, rest, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", stdio, stdio],
    });
    if (output !== "inherit") {
      child.stdout?.on("data", (bytes: Buffer) => output.out(bytes));
      child.stderr?.on("data", (bytes: Buffer) => output.error(bytes));
    }
    child.once("error", (error: NodeJS.ErrnoException) => {
      resolve({ exitCode: undefined, problem: startProblem(program, error) });
    });
    child.once("close", (exitCode, signal) => resolve(endOf(exitCode, signal)));
  });
}

function endOf(exitCode: number | null, signal: NodeJS.Signals | null): ChildEnd {
  if (signal !== null) return { exitCode: -1, problem: `signal: ${signalText(signal)}` };
  return { exitCode: exitCode ?? 0, problem: exitCode === 0 ? "" : `exit status ${exitCode}` };
}

function startProblem(program: string, { code }: NodeJS.ErrnoException): string {
  if (code === "ENOENT" && !program.includes("/")) {
    return `exec: ${JSON.stringify(program)}: executable file not found in $PATH`;
  }
  const texts: Readonly<Record<string, string>> = {
    ENOENT: "no such file or directory",
    EACCES: "permission denied",
  };
  return `fork/exec ${program}: ${texts[code ?? ""] ?? code}`;
}

const signalTexts: Partial<Record<NodeJS.Signals, string>> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGTERM: "terminated",
  SIGABRT: "aborted",
  SIGSEGV: "segmentation fault",
  SIGPIPE: "broken pipe",
};

function signalText(signal: NodeJS.Signals): string {
  return signalTexts[signal] ?? `signal ${constants.signals[signal]}`;
}
