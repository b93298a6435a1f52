#!/usr/bin/env node
/** The process behind `quorate`, `etcdctl` and `etcdutl`: the doors in bin/ say by which name they were called. */
import type { CliHost, ProgramName } from "./command.js";
import { execute } from "./execute.js";
import { runCli } from "./run.js";

const programs: readonly ProgramName[] = ["quorate", "etcdctl", "etcdutl"];

const host: CliHost = {
  program: programs.find((name) => name === process.env.QUORATE_ARGV0) ?? "quorate",
  environment: process.env,
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  execute: (command, environment) => execute(command, environment, "inherit"),
  untilInterrupted() {
    const controller = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort());
    return controller.signal;
  },
  stdin: { [Symbol.asyncIterator]: () => process.stdin[Symbol.asyncIterator]() },
  showTyping: (visible) => void (process.stdin.isTTY && process.stdin.setRawMode(!visible)),
};

// A reader that leaves early (`| head`) is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2), host);
