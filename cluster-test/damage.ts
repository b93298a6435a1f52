/**
 * The disk of a stopped member is damaged in one place: its next start refuses, and says which file and what to do,
 * or goes on with everything that was acknowledged. The others do not mind. Afterwards the member gets its files
 * back as they were.
 */
import { cp, open, readdir, rm, stat, truncate } from "node:fs/promises";
import { join, relative } from "node:path";
import type { ServerBinary } from "../test/support/server-binary.js";
import { parseServerLogLine } from "../test/support/server-log.js";
import { verifyAcknowledged, verifyCluster } from "./verify.js";
import { loopback, Victims } from "./victims.js";
import { type Acknowledged, Writers } from "./writers.js";

export interface DamageOptions {
  /** Damages to do in all, of all kinds in turn. */
  readonly rounds: number;
  readonly log: (line: string) => void;
}

export interface DamageReport {
  readonly refused: number;
  readonly recovered: number;
  readonly acknowledged: number;
}

type Kind = "flip" | "truncate" | "delete";
const kinds: readonly Kind[] = ["flip", "delete", "truncate"];

interface Damage {
  readonly kind: Kind;
  readonly file: string;
  readonly at: number;
}

const startTimeoutMs = 30_000;
const putsBetween = 60;
/** What an operator must be told: where, and what to do. */
const advice = /remove this member|give the --wal-dir|from a copy|from a backup/;

export async function runDamages(binary: ServerBinary, options: DamageOptions): Promise<DamageReport> {
  const victims = await Victims.start(binary, {
    count: 3,
    extraArgs: ["--snapshot-count", "200"],
    ground: loopback,
  });
  const writers = new Writers(victims.endpoints, { count: 4, valueBytes: 2_000 });
  let refused = 0;
  try {
    await writers.acknowledge(1_000);
    const at = victims.others(await victims.leader())[0]!;
    const directory = join(victims.member(at).dataDir, "member");
    const sound = `${victims.member(at).dataDir}-sound`;
    for (let round = 0; round < options.rounds; round++) {
      await writers.acknowledge(putsBetween);
      await victims.kill(at);
      await cp(directory, sound, { recursive: true });
      const known = writers.acknowledged.slice();
      const damage = await damageOne(directory, round);
      const outcome = await startDamaged(victims, { at, known }, damage);
      options.log(`${damage.kind} ${relative(directory, damage.file)} at ${damage.at}: ${outcome}`);
      if (outcome !== "recovered") {
        refused++;
        await writers.acknowledge(putsBetween);
        victims.forgiveErrors(at);
        await rm(directory, { recursive: true });
        await cp(sound, directory, { recursive: true });
        victims.restart(at);
        await victims.healthy(at);
      }
      await rm(sound, { recursive: true });
      await verifyCluster(victims, writers, 0);
    }
    await writers.stop();
    await verifyCluster(victims, writers, 0);
    const recovered = options.rounds - refused;
    return { refused, recovered, acknowledged: writers.acknowledged.length };
  } finally {
    await writers.stop();
    await victims.destroy();
  }
}

/** Every kind of damage to every file in turn; where in it is random. */
async function damageOne(directory: string, round: number): Promise<Damage> {
  const files: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    // What the log of LevelDB tells people, and prepared space, hold nothing.
    if (entry.isFile() && !/^(LOG|LOG\.old|LOCK|.*\.tmp)$/.test(entry.name)) {
      files.push(join(entry.parentPath, entry.name));
    }
  }
  const kind = kinds[round % kinds.length]!;
  const file = files.sort()[Math.floor(round / kinds.length) % files.length]!;
  const used = await usedBytes(file);
  const at = Math.floor(Math.random() * Math.max(used, 1));
  if (kind === "delete") await rm(file);
  else if (kind === "truncate") await truncate(file, at);
  else await flipBit(file, at);
  return { kind, file, at };
}

/** Up to the last byte that is not zero: behind it a segment of the log is empty. */
async function usedBytes(file: string): Promise<number> {
  const { size } = await stat(file);
  const handle = await open(file, "r");
  try {
    const bytes = Buffer.alloc(size);
    await handle.read(bytes, 0, size, 0);
    let end = size;
    while (end > 0 && bytes[end - 1] === 0) end--;
    return end;
  } finally {
    await handle.close();
  }
}

async function flipBit(file: string, at: number): Promise<void> {
  const handle = await open(file, "r+");
  try {
    const byte = Buffer.alloc(1);
    const { bytesRead } = await handle.read(byte, 0, 1, at);
    if (bytesRead === 0) return;
    byte[0] = byte[0]! ^ (1 << Math.floor(Math.random() * 8));
    await handle.write(byte, 0, 1, at);
  } finally {
    await handle.close();
  }
}

/** "recovered", or the reason that the refused start gave. Throws where it is neither as it should be. */
async function startDamaged(
  victims: Victims,
  { at, known }: { readonly at: number; readonly known: readonly Acknowledged[] },
  damage: Damage,
): Promise<string> {
  victims.restart(at);
  const outcome = await Promise.race([
    victims.died(at, startTimeoutMs),
    victims.healthy(at).then(
      () => "up" as const,
      () => victims.died(at, startTimeoutMs),
    ),
  ]);
  if (outcome === "up") {
    // A start that goes on serves nothing wrong: this reads its own disk.
    await using client = victims.connectTo(at);
    await verifyAcknowledged(client, known);
    return "recovered";
  }
  const text = victims
    .process(at)
    .stderr.lines.map(parseServerLogLine)
    .find((line) => line?.level === "fatal");
  const reason = String(text?.error);
  const what = `${damage.kind} ${damage.file}`;
  if (outcome.code !== 1) {
    throw new Error(`${what}: ended by ${JSON.stringify(outcome)}:\n${victims.process(at).stderr.tail(10)}`);
  }
  if (!reason.includes("member/") || !advice.test(reason)) {
    throw new Error(`${what}: refused without saying where or what to do: ${reason}`);
  }
  return reason.slice(0, 160);
}
