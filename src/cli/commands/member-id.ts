/** Member ids on the command line: 64 bits in hexadecimal. */
import { badArguments } from "../failure.js";
import { parseGoUint } from "../go-values.js";

/** The only argument, as a member's id. Errors: CliFailure. */
export function readMemberId(positional: readonly string[]): bigint {
  const [text] = positional;
  if (text === undefined || positional.length !== 1) throw badArguments("member ID is not provided");
  try {
    return parseGoUint(text, 16);
  } catch (error) {
    throw badArguments(`bad member ID arg (${(error as Error).message}), expecting ID in Hex`);
  }
}
