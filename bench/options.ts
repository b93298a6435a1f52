/** Command line of the benchmark. */
import { parseArgs } from "node:util";

export type LoadClient = "grpc-go" | "lean";

export interface BenchOptions {
  readonly mode: "table" | "growth" | "profile" | "pauses" | "micro" | "docs" | "list" | "help";
  /** Interleaved runs of each row; the table shows medians. */
  readonly runs: number;
  /** Short runs and no row with a million keys: to see that all works, not to publish. */
  readonly quick: boolean;
  /** Chooses rows by their ids, or the micro benchmark by its name. */
  readonly only: RegExp;
  readonly client: LoadClient;
  /** Where the servers keep their data; must be a disk. */
  readonly directory: string;
  /** Our server where it is not that of this tree. */
  readonly server: string | undefined;
  readonly out: string | undefined;
  readonly writeDocs: boolean;
}

export const usage = `npm run bench -- [options]

The table of rows beside an etcd: the one in PATH, or that of the variable QUORATE_COMPAT_ETCD.
  --runs N           interleaved runs of each row (5; 1 with --quick)
  --quick            short runs, nothing with a million keys
  --only PATTERN     rows whose id matches (a regular expression); --list shows the ids
  --client NAME      grpc-go, or lean (HTTP/2 with nothing around it)
  --dir DIRECTORY    where the servers keep their data while they run (the system's temporary directory)
  --server FILE      our server, where it is not bin/etcd of this tree
  --out FILE         where the figures go as JSON (bench/results/<kind>.tmp.json)
  --write-docs       put the figures of bench/results into docs/performance.md; alone: do only that
Instead of the table:
  --growth           how cost grows with clients, value size, keys and members; draws the plots
  --profile          where the CPU time of a put and of a get goes, by file
  --pauses           how late the event loop is while all sorts of requests come at once
  --micro [PATTERN]  the pieces by themselves, in this process
  --list             ids of all rows
`;

const runsDefault = 5;

export function parseOptions(args: readonly string[], temporaryDirectory: string): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runs: { type: "string" },
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      client: { type: "string", default: "grpc-go" },
      dir: { type: "string", default: temporaryDirectory },
      server: { type: "string" },
      out: { type: "string" },
      "write-docs": { type: "boolean", default: false },
      growth: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      pauses: { type: "boolean", default: false },
      micro: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (positionals.length > 0 && !values.micro) throw new Error(`not understood: ${positionals.join(" ")}`);
  if (values.client !== "grpc-go" && values.client !== "lean") throw new Error(`no client ${values.client}`);
  const runs = Number(values.runs ?? (values.quick ? 1 : runsDefault));
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs ${values.runs} is not a count`);
  const docsAlone = values["write-docs"] && args.length === 1;
  const modes = (["help", "list", "micro", "growth", "profile", "pauses"] as const).filter(
    (mode) => values[mode],
  );
  if (modes.length > 1) throw new Error(`choose one: ${modes.map((mode) => `--${mode}`).join(", ")}`);
  return {
    mode: modes[0] ?? (docsAlone ? "docs" : "table"),
    runs,
    quick: values.quick,
    only: new RegExp(values.only ?? positionals[0] ?? ""),
    client: values.client,
    directory: values.dir,
    server: values.server,
    out: values.out,
    writeDocs: values["write-docs"],
  };
}
