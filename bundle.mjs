/**
 * The second half of `npm run build`: what `bin/` starts, as a few files in place of some three hundred. Finding and
 * linking that many modules is 150 ms of every start. What is loaded later (a command of the client, the YAML reader)
 * stays a file of its own. The modules themselves stay in dist/ too: the package exports them, and profiles name them.
 */
import { readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "esbuild";

const root = import.meta.dirname;
const directory = join(root, "dist/bundle");

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["src/server/main.ts", "src/cli/main.ts"],
  outbase: "src",
  outdir: directory,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // It finds its compiled part beside its own package.json.
  external: ["classic-level"],
  // Packages in the older module format ask for Node's own modules by this name.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module";\nconst require = requireFrom(import.meta.url);',
  },
  // Names and lines stay as they are, so that a stack can be read without them.
  sourcemap: true,
  metafile: true,
  logLevel: "warning",
});

// Names of chunks change with their content: those of earlier builds would gather.
const written = new Set(Object.keys(metafile.outputs));
for (const name of readdirSync(directory, { recursive: true })) {
  const path = relative(root, join(directory, name));
  if (name.includes("chunks/") && !written.has(path)) rmSync(path);
}
