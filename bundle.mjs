/**
 * The second half of `npm run build`: what `bin/` starts, as a few files in place of some three hundred. Finding and
 * linking that many modules is 150 ms of every start. The modules themselves stay in dist/ too: the package exports
 * them, and profiles name them.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";

const root = import.meta.dirname;
const directory = join(root, "dist/bundle");
const serverDirectory = join(directory, "server");

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node20",
  // Names and lines stay as they are, so that a stack can be read without them.
  sourcemap: true,
  logLevel: "warning",
};

/** The command line: what is loaded later (a command, the YAML reader) stays a file of its own. */
async function bundleCommands() {
  const { metafile } = await build({
    ...common,
    entryPoints: ["src/cli/main.ts"],
    outbase: "src",
    outdir: directory,
    chunkNames: "chunks/[name]-[hash]",
    splitting: true,
    format: "esm",
    // It finds its compiled part beside its own package.json.
    external: ["classic-level"],
    // Packages in the older module format ask for Node's own modules by this name.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module";\nconst require = requireFrom(import.meta.url);',
    },
    metafile: true,
  });
  // Names of chunks change with their content: those of earlier builds would gather.
  const written = new Set(Object.keys(metafile.outputs));
  for (const name of readdirSync(directory, { recursive: true })) {
    const path = relative(root, join(directory, name));
    if (name.includes("chunks/") && !written.has(path)) rmSync(path);
  }
}

/** classic-level looks for its compiled part beside the file that asks: from the bundle it has to be told where. */
const compiledPart = {
  name: "compiled-part",
  setup({ onLoad }) {
    onLoad({ filter: /classic-level[/\\]binding\.js$/ }, ({ path }) => ({
      contents: `module.exports = require("node-gyp-build")(require("node:path").dirname(require.resolve("classic-level/package.json")))`,
      loader: "js",
      resolveDir: dirname(path),
    }));
  },
};

/** The server: one script, as V8 can keep the code of that (src/server/bundle.ts), and what starts it. */
async function bundleServer() {
  const script = {
    ...common,
    format: "cjs",
    define: { "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" },
  };
  // Code of another program must never be found beside this one.
  rmSync(join(serverDirectory, "program.code"), { force: true });
  await build({
    ...script,
    entryPoints: ["src/server/main.ts"],
    outfile: join(serverDirectory, "program.js"),
    plugins: [compiledPart],
    external: ["node-gyp-build", "classic-level/package.json"],
    banner: { js: "(function (exports, require, module, __filename) {" },
    footer: { js: "})" },
  });
  await build({
    ...script,
    entryPoints: ["src/server/start-bundle.ts"],
    outfile: join(serverDirectory, "main.js"),
  });
  writeFileSync(join(serverDirectory, "package.json"), '{ "type": "commonjs" }\n');
}

await bundleCommands();
await bundleServer();
const { status } = spawnSync(process.execPath, ["bundle-code.mjs", serverDirectory], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = status ?? 1;
