/** Files of the log: open, write, sync, and the durable change of names. All paths are absolute or relative to the process. */
import * as fs from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { allocateBytes, equalBytes } from "../../base/bytes.js";
import { limits } from "../../base/limits.js";

const openFile = promisify(fs.open);
const closeFile = promisify(fs.close);
const writeFile = promisify(fs.write) as unknown as (
  fd: number,
  bytes: Uint8Array,
  start: number,
  length: number,
  position: number,
) => Promise<{ bytesWritten: number }>;
const readPart = promisify(fs.read) as unknown as (
  fd: number,
  into: Uint8Array,
  start: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>;
const syncFile = promisify(fs.fsync);
const syncData = promisify(fs.fdatasync);
const setSize = promisify(fs.ftruncate);
const fileStatus = promisify(fs.fstat);

/** For the owner alone: the log holds all data. */
export const fileMode = 0o600;
export const directoryMode = 0o700;

/** What a processor keeps near while it is compared and copied. */
const readBytes = 512 * 1024;
const zeros = new Uint8Array(Math.max(readBytes, limits.walFillBytes));

export class SegmentFile {
  private constructor(private readonly fd: number) {}

  /** Makes the file, or empties it, and gives it its size; its space on disk is placed later. */
  static async create(path: string, sizeBytes: number): Promise<SegmentFile> {
    const file = new SegmentFile(await openFile(path, "w", fileMode));
    await setSize(file.fd, sizeBytes);
    await syncFile(file.fd);
    return file;
  }

  static async open(path: string): Promise<SegmentFile> {
    return new SegmentFile(await openFile(path, "r+"));
  }

  /** Writes all of `bytes`. A short write is continued: the kernel says at the next one why. */
  async write(bytes: Uint8Array, offsetBytes: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const length = bytes.length - done;
      done += (await writeFile(this.fd, bytes, done, length, offsetBytes + done)).bytesWritten;
    }
  }

  writeOnLoop(bytes: Uint8Array, offsetBytes: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += fs.writeSync(this.fd, bytes, done, bytes.length - done, offsetBytes + done);
    }
  }

  /**
   * fdatasync is enough for appends: the size was synced when the file was made, and where a write grows the
   * file fdatasync brings the new size along, as the data could not be read without it.
   */
  sync(): Promise<void> {
    return syncData(this.fd);
  }

  syncOnLoop(): void {
    fs.fdatasyncSync(this.fd);
  }

  /** Makes everything from `offsetBytes` on zero, up to `sizeBytes` and durably. */
  async cutAt(offsetBytes: number, sizeBytes: number): Promise<void> {
    await setSize(this.fd, offsetBytes);
    await syncFile(this.fd);
    await setSize(this.fd, sizeBytes);
    await syncFile(this.fd);
  }

  /** Places space on disk for the bytes from `start` to `end`, which were never written. */
  async fill(start: number, end: number): Promise<void> {
    for (let at = start; at < end; at += limits.walFillBytes) {
      await this.write(zeros.subarray(0, Math.min(limits.walFillBytes, end - at)), at);
    }
    await syncData(this.fd);
  }

  /** Size, and whether all of it has its space on disk. */
  async space(): Promise<{ readonly sizeBytes: number; readonly placed: boolean }> {
    const { size, blocks } = await fileStatus(this.fd);
    return { sizeBytes: size, placed: blocks * 512 >= size };
  }

  close(): Promise<void> {
    return closeFile(this.fd);
  }
}

/**
 * All of the file but zeros at its end, of which only those up to the next multiple of `readBytes` are kept: most
 * of a young segment is zeros, and giving them memory costs 0.3 s for 64 MiB (measured), not giving them 10 ms.
 */
export async function readSegment(path: string): Promise<Uint8Array> {
  const fd = await openFile(path, "r");
  try {
    const { size } = await fileStatus(fd);
    // Fresh memory from the system is zero, and there only once it is written to.
    const image = new Uint8Array(size);
    const part = allocateBytes(readBytes);
    let used = Math.min(size, readBytes);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await readPart(fd, part, 0, Math.min(readBytes, size - at), at);
      if (bytesRead === 0) break;
      const read = part.subarray(0, bytesRead);
      if (!equalBytes(read, zeros.subarray(0, bytesRead))) {
        image.set(read, at);
        used = Math.max(used, at + bytesRead);
      }
      at += bytesRead;
    }
    return image.subarray(0, used);
  } finally {
    await closeFile(fd);
  }
}

/** Makes names that were given or taken in `directory` durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const fd = await openFile(directory, "r");
  try {
    await syncFile(fd);
  } finally {
    await closeFile(fd);
  }
}

/** Renames within one directory, durably. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await fs.promises.rename(from, to);
  await syncDirectory(dirname(to));
}
