/**
 * The whole program as one script (`bundle.mjs`), and the code that V8 made of it when it was built. Finding three
 * hundred modules and compiling them was half of what a member with no data took to start. V8 refuses the code where
 * its own version or flags are not those of the build, and compiles then as ever.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Script } from "node:vm";

/** The program takes what a module of the older format gets from its loader. */
type Program = (exports: object, require: NodeJS.Require, module: object, filename: string) => void;

export function programFile(directory: string): string {
  return join(directory, "program.js");
}

export function codeFile(directory: string): string {
  return join(directory, "program.code");
}

/** What was made of the program in `directory`; undefined while the build is not that far. */
export function readCode(directory: string): Buffer | undefined {
  const file = codeFile(directory);
  return existsSync(file) ? readFileSync(file) : undefined;
}

/** The program in `directory`, not yet run. `code`: what `createCachedData` of the same script answered. */
export function loadProgram(directory: string, code: Buffer | undefined): Script {
  const filename = programFile(directory);
  // The bundler writes ASCII: as latin1 it is read as it is, and takes a byte a character.
  const source = readFileSync(filename, "latin1");
  return new Script(source, { filename, ...(code === undefined ? {} : { cachedData: code }) });
}

/** Runs the program as if its text stood in `startedFile`, the script that Node was started with. */
export function runProgram(script: Script, startedFile: string): void {
  const module = { exports: {} };
  const program = script.runInThisContext() as Program;
  program(module.exports, createRequire(startedFile), module, startedFile);
}
