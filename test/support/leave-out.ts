import { test } from "vitest";

/**
 * Registers tests that cannot run here: skipped, with the reason in the title and in one line of output. In
 * continuous integration (CI=true) nothing may be missing, so there they fail.
 */
export function leaveOut(titles: readonly string[], reason: string): void {
  for (const title of titles) {
    const fullTitle = `${title} (left out: ${reason})`;
    if (process.env.CI === "true") {
      test(fullTitle, () => {
        throw new Error(reason);
      });
    } else {
      test.skip(fullTitle, () => undefined);
    }
  }
  console.warn(`left out ${titles.length} tests: ${reason}`);
}
