/** What goes wrong: draws faults from the seed and lets them happen, and heals everything at the end. */
import { bytesToLatin1 } from "../../src/base/bytes.js";
import { recordKinds } from "../../src/storage/leveldb/keys.js";
import { RecordType, readFrame, usedEnd } from "../../src/storage/wal/record.js";
import { sectorBytes } from "../../src/storage/wal/tail.js";
import { type Coverage, simulatedFailpoints } from "./coverage.js";
import { Dice } from "./dice.js";
import type { History } from "./history.js";
import { clockRates } from "./local-clock.js";
import type { Machines, Place } from "./machines.js";
import type { Network } from "./network.js";
import type { Fault, SimOptions } from "./options.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

export interface NemesisDeps {
  readonly scheduler: Scheduler;
  readonly options: SimOptions;
  readonly coverage: Coverage;
  readonly trace: Trace;
  readonly history: History;
  readonly machines: Machines;
  readonly network: Network;
}

const seldomReached = simulatedFailpoints.filter((name) => /Snap|compact/.test(name));

export class Nemesis {
  private readonly dice: Dice;
  private stopped = false;
  /** Raised with each partition, so that an older one's end does not heal a newer one. */
  private partitions = 0;

  constructor(private readonly deps: NemesisDeps) {
    this.dice = Dice.of(deps.options.seed, "nemesis");
  }

  start(): void {
    const { options, network } = this.deps;
    const { dice } = this;
    const { mood } = network;
    mood.delayUs = dice.pick([200, 500, 3_000]);
    if (options.faults.has("loss")) mood.loss = dice.pick([0.01, 0.05, 0.2]);
    if (options.faults.has("duplication")) mood.doubled = dice.pick([0.02, 0.2]);
    if (options.faults.has("delay")) mood.late = dice.pick([0.005, 0.05]);
    for (const { machine } of this.places()) machine.disk.mood.syncUs = dice.pick([100, 300, 4_000]);
    this.wait();
  }

  /** Ends all faults and starts everything that can be started. */
  heal(): void {
    const { network, machines, history } = this.deps;
    this.stopped = true;
    network.heal();
    machines.heal();
    machines.startNewcomers(history.configuration);
    Object.assign(network.mood, { delayUs: 300, loss: 0, doubled: 0, late: 0 });
    for (const place of this.places()) {
      Object.assign(place.machine.disk.mood, { syncUs: 200, full: false, failSync: false });
      place.armed = undefined;
      this.wake(place);
      const { voters, learners, votersOutgoing } = history.configuration;
      const isMember = [...voters, ...learners, ...votersOutgoing].includes(place.machine.id);
      const leaves = !isMember && place.lives > 0;
      if (!(leaves && machines.retire(place))) machines.start(place);
    }
  }

  /** A process wakes as a whole: its timers too, and what it was sent. */
  private wake({ process }: Place): void {
    const { scheduler } = this.deps;
    if (process === undefined || process.pausedUntilUs <= scheduler.nowUs) return;
    process.pausedUntilUs = 0;
    scheduler.wake(process);
  }

  private wait(): void {
    const { scheduler, options } = this.deps;
    scheduler.after(this.dice.exponential(options.faultEveryMs * 1_000), undefined, () => {
      if (this.stopped) return;
      const possible = acts.filter(([fault]) => options.faults.has(fault));
      if (possible.length > 0) this.act(this.dice.pick(possible)[0]);
      this.wait();
    });
  }

  private act(fault: Fault): void {
    const place = this.dice.pick(this.places().filter(({ state }) => state === "up" || state === "down"));
    if (place === undefined) return;
    acts.find(([name]) => name === fault)![1](this, place);
  }

  places(): Place[] {
    return [...this.deps.machines.places.values()];
  }

  crash(place: Place, power: boolean, why: string): void {
    const { machines } = this.deps;
    machines.crash(place, { power, why });
    machines.startAfter(this.dice.exponential(1_000_000), place);
  }

  cutPower(place: Place): void {
    if (!this.dice.chance(0.2)) {
      this.crash(place, true, "power cut");
      return;
    }
    this.deps.coverage.hit("disk/everyone lost power at once");
    for (const other of this.places())
      if (other.state === "up") this.crash(other, true, "power cut everywhere");
  }

  /** Places that are seldom reached stay armed until they are. */
  armFailpoint(place: Place): void {
    if (place.armed !== undefined && this.dice.chance(0.7)) return;
    const name = this.dice.pick(this.dice.chance(0.3) ? seldomReached : simulatedFailpoints);
    place.armed = { name, hitsLeft: 1 + this.dice.below(3), power: this.dice.chance(0.5) };
  }

  partition(): void {
    const { network, scheduler, trace, coverage } = this.deps;
    const { dice } = this;
    const ids = this.places()
      .filter(({ state }) => state !== "removed")
      .map(({ machine }) => machine.id);
    const turn = ++this.partitions;
    network.heal();
    const shape = dice.pick(["isolate", "isolate", "halves", "oneWay", "oneWay", "ring"] as const);
    const victim = dice.pick(ids);
    const half = new Set(ids.filter(() => dice.chance(0.5)));
    const isInward = dice.chance(0.5);
    ids.forEach((from, at) => {
      ids.forEach((to, other) => {
        if (from === to) return;
        const blocked =
          shape === "isolate"
            ? from === victim || to === victim
            : shape === "halves"
              ? half.has(from) !== half.has(to)
              : shape === "oneWay"
                ? (isInward ? to : from) === victim
                : Math.abs(at - other) !== 1 && Math.abs(at - other) !== ids.length - 1;
        if (blocked) network.block(from, to);
      });
    });
    coverage.hit(
      shape === "oneWay" ? "network/one way" : shape === "ring" ? "network/ring" : "network/partitioned",
    );
    trace.say(`partition: ${shape} around ${victim}`);
    scheduler.after(dice.exponential(2_500_000), undefined, () => {
      if (turn === this.partitions) network.heal();
    });
  }

  reset(): void {
    this.deps.coverage.hit("network/reset");
    this.deps.network.reset();
    for (const process of this.deps.machines.processes()) {
      for (const { machine } of this.places()) {
        if (machine.id === process.machine.id) continue;
        this.deps.scheduler.after(0, process, () =>
          process.running?.driver.push({ type: "unreachable", peer: machine.id }),
        );
      }
    }
  }

  pause(place: Place): void {
    const { process } = place;
    if (process === undefined) return;
    this.deps.coverage.hit("process/paused");
    const forUs = this.dice.exponential(this.dice.pick([50_000, 800_000, 3_000_000]));
    // A pause within a longer one does not cut it short: its timers would sleep on while messages are answered.
    process.pausedUntilUs = Math.max(process.pausedUntilUs, this.deps.scheduler.nowUs + forUs);
    this.deps.trace.say(`${place.machine.name} is paused for ${Math.round(forUs / 1_000)} ms`);
  }

  moveClock({ machine }: Place): void {
    this.deps.coverage.hit("process/clock jumped");
    machine.clock.wallMs += Math.round(this.dice.between(-60_000, 60_000));
    const rate = this.dice.between(clockRates.slowest, clockRates.fastest);
    machine.clock.changeRate(rate, this.deps.scheduler.nowUs);
  }

  slowDisk({ machine }: Place): void {
    const { mood } = machine.disk;
    const usual = mood.syncUs;
    mood.syncUs = this.dice.pick([20_000, 100_000, 400_000]);
    this.deps.scheduler.after(this.dice.exponential(2_000_000), undefined, () => {
      mood.syncUs = Math.min(usual, 4_000);
    });
  }

  fillDisk({ machine }: Place): void {
    machine.disk.mood.full = true;
    this.deps.trace.say(`the disk of ${machine.name} is full`);
    this.deps.scheduler.after(this.dice.exponential(1_500_000), undefined, () => {
      machine.disk.mood.full = false;
    });
  }

  /** Damages a disk, as long as so few are lost that the cluster must get over it. */
  damage(place: Place, kind: "flip" | "misdirected"): void {
    const { machines, history, options } = this.deps;
    const { voters } = history.configuration;
    // A learner counts too: its promotion may be on its way through the log.
    const isBad = ({ state, machine }: Place): boolean =>
      state !== "removed" && (state === "lost" || machine.disk.damaged !== undefined);
    const bad = this.places().filter(isBad);
    // A disk that is lost while another change is under way could be one too many for one of the configurations.
    if (!machines.isSettled() || voters.length < options.members) return;
    if (bad.length >= Math.floor((voters.length - 1) / 2) || place.state !== "up") return;
    const { machine } = place;
    const atRest = this.dice.chance(0.6);
    if (atRest) this.crash(place, false, "for damage to its disk");
    const done = kind === "flip" ? this.flip(place, atRest) : atRest && this.misdirect(place);
    if (!done) return;
    machine.disk.damaged = kind;
    this.deps.trace.say(`the disk of ${machine.name} is damaged: ${kind}`);
  }

  private flip({ machine }: Place, atRest: boolean): boolean {
    const { dice } = this;
    const flipIn = (bytes: Uint8Array, end: number): void => {
      bytes[dice.below(end)]! ^= 1 << dice.below(8);
    };
    if (dice.chance(0.6) || !atRest) {
      const kind = dice.chance(0.7) ? recordKinds.block : recordKinds.state;
      return machine.disk.store.damage(kind, dice, (value) => flipIn(value, value.length));
    }
    const { names } = machine.disk.log;
    const segments = [...names].filter(([name]) => name.endsWith(".wal"));
    if (segments.length === 0) return false;
    const [, file] = dice.pick(segments);
    file.damage((bytes) => flipIn(bytes, usedEnd(bytes, 0)));
    return true;
  }

  /** A sector was written to a wrong place: over another one, whose content is gone. */
  private misdirect({ machine }: Place): boolean {
    const { dice } = this;
    const segments = [...machine.disk.log.names].filter(([name]) => name.endsWith(".wal"));
    if (segments.length === 0) return false;
    const [, file] = dice.pick(segments);
    // The last write of all can not be told from a torn one, which nobody was told of (storage/wal/tail.ts).
    const sectors = Math.floor(lastWriteAt(file.pages) / sectorBytes);
    if (sectors < 3) return false;
    const from = dice.below(sectors) * sectorBytes;
    const to = dice.below(sectors) * sectorBytes;
    const sector = (at: number): string => bytesToLatin1(file.pages, at, at + sectorBytes);
    if (sector(from) === sector(to)) return false;
    file.damage((bytes) => bytes.copyWithin(to, from, from + sectorBytes));
    return true;
  }
}

/** Where the last write that found all before it durable begins. */
function lastWriteAt(segment: Uint8Array): number {
  let last = 0;
  for (let at = 0, frame = readFrame(segment, at); frame.kind === "frame"; frame = readFrame(segment, at)) {
    if (frame.type === RecordType.Crc) last = at;
    at = frame.end;
  }
  return last;
}

type Act = (nemesis: Nemesis, place: Place) => void;

const acts: readonly (readonly [Fault, Act])[] = [
  ["kill", (nemesis, place) => nemesis.crash(place, false, "killed")],
  ["power", (nemesis, place) => nemesis.cutPower(place)],
  ["failpoint", (nemesis, place) => nemesis.armFailpoint(place)],
  ["partition", (nemesis) => nemesis.partition()],
  ["reset", (nemesis) => nemesis.reset()],
  ["pause", (nemesis, place) => nemesis.pause(place)],
  ["clock", (nemesis, place) => nemesis.moveClock(place)],
  ["slowDisk", (nemesis, place) => nemesis.slowDisk(place)],
  ["fullDisk", (nemesis, place) => nemesis.fillDisk(place)],
  [
    "failedSync",
    (_, { machine }) => {
      machine.disk.mood.failSync = true;
    },
  ],
  ["flip", (nemesis, place) => nemesis.damage(place, "flip")],
  ["misdirect", (nemesis, place) => nemesis.damage(place, "misdirected")],
];
