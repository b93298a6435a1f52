/**
 * A log file that is set aside when it is large: "server.log" becomes "server-2006-01-02T15-04-05.000.log", and
 * old ones are removed by number and by age. Names are those of the rotation that etcd uses.
 */
import { closeSync, fstatSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import type { LogRotation } from "./flags/server-config.js";
import type { LogOutput } from "./log-output.js";

const dayMs = 86_400_000;

export class RotatingFile implements LogOutput {
  private descriptor: number;
  private sizeBytes: number;

  constructor(
    private readonly path: string,
    private readonly rotation: LogRotation,
  ) {
    this.descriptor = openSync(path, "a", 0o600);
    this.sizeBytes = fstatSync(this.descriptor).size;
  }

  write(batch: Buffer): void {
    try {
      if (this.sizeBytes > 0 && this.sizeBytes + batch.length > this.rotation.sizeBytesMax) this.rotate();
      writeSync(this.descriptor, batch);
      this.sizeBytes += batch.length;
    } catch {
      // A full or broken disk of the log must not stop the store, which may be on another one.
    }
  }

  drain(): void {}

  private rotate(): void {
    const nowMs = Date.now();
    closeSync(this.descriptor);
    renameSync(this.path, backupPath(this.path, nowMs));
    this.descriptor = openSync(this.path, "a", 0o600);
    this.sizeBytes = 0;
    removeOldBackups(this.path, this.rotation, nowMs);
  }
}

function backupPath(path: string, nowMs: number): string {
  const extension = extname(path);
  const stamp = new Date(nowMs).toISOString().slice(0, -1).replaceAll(":", "-");
  return join(dirname(path), `${basename(path, extension)}-${stamp}${extension}`);
}

function removeOldBackups(path: string, rotation: LogRotation, nowMs: number): void {
  const extension = extname(path);
  const prefix = `${basename(path, extension)}-`;
  const stamps = readdirSync(dirname(path))
    .filter((name) => name.startsWith(prefix) && name.endsWith(extension))
    .map((name) => name.slice(prefix.length, name.length - extension.length))
    .filter((stamp) => /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/.test(stamp))
    .sort()
    .reverse();
  stamps.forEach((stamp, rank) => {
    const [date, time] = stamp.split("T") as [string, string];
    const ageDays = (nowMs - Date.parse(`${date}T${time.replaceAll("-", ":")}Z`)) / dayMs;
    const tooMany = rotation.backupsMax > 0 && rank >= rotation.backupsMax;
    const tooOld = rotation.ageDaysMax > 0 && ageDays > rotation.ageDaysMax;
    if (tooMany || tooOld) rmSync(join(dirname(path), `${prefix}${stamp}${extension}`), { force: true });
  });
}
