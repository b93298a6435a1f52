/** What a failing run is shrunk to. If this fails, whoever looks for a bug reads a trace of clients that have no part in it. */
import { expect, test } from "vitest";
import { optionsOf } from "./options.js";
import { shrink } from "./shrink.js";
import { simulate } from "./simulation.js";

test("a bug of the log needs nobody who watches or holds a lease", async () => {
  const failed = await simulate(
    optionsOf(1, { bug: "skip-fsync", watchers: 3, lessees: 3, clients: 4, faults: new Set(["kill"]) }),
  );
  const shrunk = await shrink(failed);
  expect(shrunk.violation?.check).toBe(failed.violation?.check);
  expect(failed.violation).toBeDefined();
  const { watchers, lessees, clients, faults } = shrunk.options;
  expect({ watchers, lessees, clients, faults: faults.size }).toEqual({
    watchers: 0,
    lessees: 0,
    clients: 0,
    faults: 0,
  });
});

test("a bug of leases keeps as many who hold one as it takes to show", async () => {
  const failed = await simulate(
    optionsOf(1, { bug: "lease-kept-by-followers", watchers: 1, lessees: 3, durationMs: 10_000 }),
  );
  expect(failed.violation?.check).toBe("leases");
  const { options, violation } = await shrink(failed);
  expect(violation?.check).toBe("leases");
  expect(options.watchers).toBe(0);
  expect(options.lessees).toBeGreaterThan(0);
  expect(options.lessees).toBeLessThan(3);
});
