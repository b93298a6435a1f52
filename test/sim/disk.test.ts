import { expect, test } from "vitest";
import { Coverage } from "./coverage.js";
import { Dice } from "./dice.js";
import { SimulatedDisk, SimulatedFile } from "./disk.js";

function diskWithSegment(seed = 1): { readonly disk: SimulatedDisk; readonly file: SimulatedFile } {
  const disk = new SimulatedDisk(Dice.of(seed, "disk"), new Coverage());
  const file = new SimulatedFile(2_048);
  disk.log.names.set("a.wal", file);
  disk.log.sync();
  return { disk, file };
}

test.each([true, false])("what a dead process still writes is on no disk (power cut: %s)", (power) => {
  const { disk, file } = diskWithSegment();
  file.write(Uint8Array.of(1), 0);
  file.sync();
  disk.crash(power);
  file.write(Uint8Array.of(2), 1);
  file.sync();
  const found = disk.log.names.get("a.wal")!;
  expect([...found.pages.subarray(0, 2)]).toEqual([1, 0]);
});

test("a kill keeps what was written, a power cut that follows it only what was synced", () => {
  const lost = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const { disk, file } = diskWithSegment(seed);
    file.write(Uint8Array.of(7), 600);
    disk.crash(false);
    expect(disk.log.names.get("a.wal")!.pages[600]).toBe(7);
    disk.crash(true);
    lost.add(disk.log.names.get("a.wal")!.pages[600]!);
  }
  expect(lost).toEqual(new Set([0, 7]));
});
