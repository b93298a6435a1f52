/** Runs the benchmarks of single pieces; each file under micro/ exports run(). */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../test/support/server-binary.js";
import { formatFigure } from "./table.js";

interface MicroFigure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

interface MicroBenchmark {
  /** Figures to be printed here, or nothing where it prints by itself. */
  run(): Promise<readonly MicroFigure[] | undefined> | readonly MicroFigure[];
}

export async function runMicro(only: RegExp): Promise<void> {
  const directory = join(repositoryRoot, "bench/micro");
  const names = readdirSync(directory)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -".ts".length))
    .filter((name) => only.test(name));
  if (names.length === 0) throw new Error(`no micro benchmark matches ${only.source}`);
  for (const name of names) {
    console.log(`${name}:`);
    const benchmark = (await import(join(directory, `${name}.ts`))) as MicroBenchmark;
    for (const { name: what, value, unit } of (await benchmark.run()) ?? [])
      console.log(`  ${what}: ${formatFigure(value)} ${unit}`);
  }
}
