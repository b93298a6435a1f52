/** The --consistency flag of reading commands. */
import { CliFailure, ExitCode } from "../failure.js";

export function isSerializable(text: string): boolean {
  if (text === "s") return true;
  if (text === "l") return false;
  throw new CliFailure(ExitCode.BadFeature, `unknown consistency flag ${JSON.stringify(text)}`);
}
