import { defineConfig } from "vitest/config";

const source = (path: string): string => new URL(`src/${path}`, import.meta.url).pathname;

export default defineConfig({
  resolve: {
    alias: { "quorate/client": source("client/index.ts"), "quorate/recipes": source("recipes/index.ts") },
  },
  // `await using` is newer than the oldest Node.js that is supported.
  esbuild: { target: "node20" },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: "forks",
    poolOptions: { forks: { maxForks: 2 } },
  },
});
