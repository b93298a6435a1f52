import { defineConfig } from "vitest/config";

export default defineConfig({
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
