/** Proves that src/gen is what proto/ generates today: writes it anew beside and compares, file by file. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const fresh = mkdtempSync(join(tmpdir(), "quorate-gen-"));
try {
  execFileSync(join(root, "node_modules/.bin/buf"), ["generate", "-o", fresh], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  execFileSync(process.execPath, [join(root, "proto/descriptors.mjs"), fresh], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const wanted = join(fresh, "src/gen");
  const present = join(root, "src/gen");
  const names = [...new Set([...readdirSync(wanted), ...readdirSync(present)])].sort();
  const text = (folder, name) => {
    try {
      return readFileSync(join(folder, name), "utf8");
    } catch {
      return undefined;
    }
  };
  const stale = names.filter((name) => text(wanted, name) !== text(present, name));
  if (stale.length > 0) {
    console.error(
      `src/gen is not what proto/ generates: ${stale.join(", ")}. Run npm run generate and commit.`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
