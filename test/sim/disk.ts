/**
 * The disk of one member: it outlives its processes. Files of the Raft log with a page cache over sectors of 512
 * bytes, a directory whose changes need a sync of their own, and the store in an ordered store in memory.
 *
 * A process that is killed loses nothing that was written. A power cut keeps any subset of the sectors and of the
 * directory changes that were not synced.
 */
import { sectorBytes } from "../../src/storage/wal/tail.js";
import type { Coverage } from "./coverage.js";
import type { Dice } from "./dice.js";
import { SimulatedStore } from "./simulated-store.js";
import { DiskFailure } from "./violation.js";

export class SimulatedFile {
  pages: Uint8Array;
  private stable: Uint8Array;
  private dirtyFrom = Number.POSITIVE_INFINITY;
  private dirtyTo = 0;

  constructor(sizeBytes: number) {
    this.pages = new Uint8Array(sizeBytes);
    this.stable = new Uint8Array(sizeBytes);
  }

  get sizeBytes(): number {
    return this.pages.length;
  }

  /** A write that is larger than a whole segment makes the file longer. */
  write(bytes: Uint8Array, offsetBytes: number): void {
    if (offsetBytes + bytes.length > this.sizeBytes) this.grow(offsetBytes + bytes.length);
    this.pages.set(bytes, offsetBytes);
    this.dirtyFrom = Math.min(this.dirtyFrom, offsetBytes - (offsetBytes % sectorBytes));
    this.dirtyTo = Math.max(this.dirtyTo, offsetBytes + bytes.length);
  }

  sync(): void {
    if (this.dirtyTo === 0) return;
    this.stable.set(this.pages.subarray(this.dirtyFrom, this.dirtyTo), this.dirtyFrom);
    this.clean();
  }

  /** The kernel writes some dirty sectors back on its own, before anyone asks. */
  writeBack(dice: Dice, probability: number): void {
    for (let at = this.dirtyFrom; at < this.dirtyTo; at += sectorBytes) {
      if (dice.chance(probability)) this.stable.set(this.pages.subarray(at, at + sectorBytes), at);
    }
  }

  /** What the next process finds. After a power cut what the disk holds is all there is. */
  afterCrash(power: boolean, dice: Dice): SimulatedFile {
    // All of it, none of it, or each sector by chance.
    if (power) this.writeBack(dice, dice.pick([0, 0.5, 0.9, 1]));
    const found = new SimulatedFile(this.sizeBytes);
    found.stable.set(this.stable);
    found.pages.set(power ? this.stable : this.pages);
    if (power) return found;
    found.dirtyFrom = this.dirtyFrom;
    found.dirtyTo = this.dirtyTo;
    return found;
  }

  /** Damage below the page cache. */
  damage(edit: (bytes: Uint8Array) => void): void {
    this.sync();
    edit(this.stable);
    this.pages.set(this.stable);
  }

  private grow(needBytes: number): void {
    const sizeBytes = Math.ceil(needBytes / sectorBytes) * sectorBytes;
    const longer = (bytes: Uint8Array): Uint8Array => {
      const grown = new Uint8Array(sizeBytes);
      grown.set(bytes);
      return grown;
    };
    this.pages = longer(this.pages);
    this.stable = longer(this.stable);
  }

  private clean(): void {
    this.dirtyFrom = Number.POSITIVE_INFINITY;
    this.dirtyTo = 0;
  }
}

/** Names of files; a change is durable with the next sync of the directory, or by chance before. */
export class Directory {
  readonly names = new Map<string, SimulatedFile>();
  private stable = new Map<string, SimulatedFile>();

  sync(): void {
    this.stable = new Map(this.names);
  }

  /** What the next process finds, in files of its own. */
  afterCrash(
    power: boolean,
    { dice, coverage }: { readonly dice: Dice; readonly coverage: Coverage },
  ): Directory {
    const files = new Map<SimulatedFile, SimulatedFile>();
    const next = new Directory();
    const found = (file: SimulatedFile): SimulatedFile => {
      if (!files.has(file)) files.set(file, file.afterCrash(power, dice));
      return files.get(file)!;
    };
    for (const [name, file] of this.names) next.names.set(name, found(file));
    for (const [name, file] of this.stable) next.stable.set(name, found(file));
    if (power) next.lose(dice, coverage);
    return next;
  }

  /** Names are gone again, or are back, whose change was not synced. */
  private lose(dice: Dice, coverage: Coverage): void {
    const lost: string[] = [];
    const back: string[] = [];
    for (const [name, file] of this.names) {
      if (this.stable.get(name) !== file && !dice.chance(0.5)) lost.push(name);
    }
    for (const name of this.stable.keys()) if (!this.names.has(name) && dice.chance(0.5)) back.push(name);
    for (const name of lost) this.names.delete(name);
    for (const name of back) this.names.set(name, this.stable.get(name)!);
    this.sync();
    if (lost.some((name) => name.endsWith(".wal"))) coverage.hit("log/rename lost");
    if (back.length > 0) coverage.hit("log/unlink lost");
  }
}

/** How the disk behaves now; the nemesis changes it. */
export interface DiskMood {
  /** Virtual time of a sync, at least. */
  syncUs: number;
  full: boolean;
  /** The next sync fails. */
  failSync: boolean;
}

export class SimulatedDisk {
  log = new Directory();
  readonly mood: DiskMood = { syncUs: 200, full: false, failSync: false };
  store = new SimulatedStore(this.mood);
  /** A received image that is just taking the place of the store: a power cut may find either. */
  switchingTo: SimulatedStore | undefined;
  /** Bits were flipped or written to a wrong place: the process may refuse to go on with this disk. */
  damaged: string | undefined;
  private failed = false;

  constructor(
    readonly dice: Dice,
    private readonly coverage: Coverage,
  ) {}

  /** Errors: DiskFailure where the disk is full. */
  checkSpace(): void {
    if (this.failed) throw new DiskFailure("the disk failed before");
    if (!this.mood.full) return;
    this.coverage.hit("disk/full");
    throw new DiskFailure("ENOSPC: no space left on device");
  }

  /** Errors: DiskFailure where this sync fails; after it nothing is known about what was written. */
  checkSync(): void {
    if (!this.mood.failSync) return;
    this.mood.failSync = false;
    this.failed = true;
    this.coverage.hit("disk/fsync failed");
    throw new DiskFailure("EIO: fdatasync failed");
  }

  /** How long the next sync takes. */
  syncUs(): number {
    if (this.mood.syncUs > 10_000) this.coverage.hit("disk/slow");
    return this.mood.syncUs * (0.5 + this.dice.exponential(0.5));
  }

  /**
   * The process is gone. With `power`, so is the page cache. What the dead process still does before its event is
   * over, in promises that had begun, meets files and a store that nobody will read again.
   */
  crash(power: boolean): void {
    const { dice, coverage } = this;
    // After a failed sync the kernel may have dropped the pages: as bad as a power cut.
    this.log = this.log.afterCrash(power || this.failed, { dice, coverage });
    if (this.switchingTo !== undefined && dice.chance(0.5)) this.store = this.switchingTo;
    this.switchingTo = undefined;
    this.store = this.store.afterCrash(power || this.failed, dice);
    this.failed = false;
    this.mood.failSync = false;
  }
}
