/** Where batches of log lines go: a standard stream or a file, the latter possibly rotated by size. */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { limits } from "../base/limits.js";
import type { LogRotation } from "./flags/server-config.js";
import { RotatingFile } from "./log-rotation.js";

/** A full pipe is tried again after this time. */
const retryMs = 10;

export interface LogOutput {
  /** Takes whole lines; never blocks on a reader. */
  write(batch: Buffer): void;
  /** Tries until `deadlineMs` (monotonic) to write what waits. */
  drain(deadlineMs: number): void;
}

/** `name` is "stderr", "stdout" or the path of a file, which is made if need be. */
export function openLogOutput(name: string, rotation: LogRotation | undefined): LogOutput {
  if (name === "stderr" || name === "stdout") {
    return new StreamOutput(nonBlockingDescriptor(name === "stderr" ? 2 : 1));
  }
  if (rotation !== undefined) return new RotatingFile(name, rotation);
  return new StreamOutput(openSync(name, "a", 0o600));
}

/**
 * A pipe is opened anew without blocking. The descriptor that the process was started with stays as it is, since
 * other processes may share it. Files never block, and sockets and terminals can not be opened anew.
 */
function nonBlockingDescriptor(descriptor: number): number {
  try {
    if (!fstatSync(descriptor).isFIFO()) return descriptor;
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return descriptor;
  }
}

/** Writes to a descriptor; what a full pipe does not take waits its turn. */
export class StreamOutput implements LogOutput {
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly descriptor: number) {}

  write(batch: Buffer): void {
    // A reader that is this far behind loses whole batches, not parts of lines.
    if (this.waitingBytes + batch.length > limits.logBacklogBytesMax) return;
    this.waiting.push(batch);
    this.waitingBytes += batch.length;
    this.advance();
  }

  drain(deadlineMs: number): void {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    this.advance();
    while (this.waiting.length > 0 && performance.now() < deadlineMs) {
      Atomics.wait(pause, 0, 0, 1);
      this.advance();
    }
  }

  private advance(): void {
    while (this.waiting.length > 0) {
      const batch = this.waiting[0]!;
      const written = this.tryWrite(batch);
      if (written < 0) {
        this.discard();
        return;
      }
      this.waitingBytes -= written;
      if (written < batch.length) {
        this.waiting[0] = batch.subarray(written);
        this.retryLater();
        return;
      }
      this.waiting.shift();
    }
  }

  /** Bytes taken; 0 where the pipe is full, negative where there is no reader any more. */
  private tryWrite(batch: Buffer): number {
    try {
      return writeSync(this.descriptor, batch);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "EAGAIN" ? 0 : -1;
    }
  }

  private retryLater(): void {
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.advance();
    }, retryMs);
    this.timer.unref();
  }

  /** Nobody reads, or the disk is full: the store goes on without a log, as its work does not depend on one. */
  private discard(): void {
    this.waiting = [];
    this.waitingBytes = 0;
  }
}
