/** A password from the terminal, which shows nothing of it; or the first line of standard input. */
import type { CliHost } from "./command.js";
import { CliExit, ExitCode } from "./failure.js";

const endOfInput = 0x04;
const interrupt = 0x03;
const backspaces: readonly number[] = [0x08, 0x7f];
const lineEnds: readonly number[] = [0x0a, 0x0d, endOfInput];

export async function askPassword(host: CliHost, prompt: string): Promise<string> {
  host.error(prompt);
  host.showTyping(false);
  const typed: number[] = [];
  try {
    for await (const bytes of host.stdin) {
      for (const byte of bytes) {
        if (byte === interrupt) throw new CliExit(ExitCode.Error);
        if (lineEnds.includes(byte)) return Buffer.from(typed).toString("utf8");
        if (backspaces.includes(byte)) typed.pop();
        else typed.push(byte);
      }
    }
    return Buffer.from(typed).toString("utf8");
  } finally {
    host.showTyping(true);
    host.error("\n");
  }
}
