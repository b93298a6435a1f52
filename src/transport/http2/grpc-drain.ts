/** Handlers that wait until their client has read on. */

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class DrainWaiters {
  private waiters: Waiter[] = [];

  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  resolve(): void {
    for (const waiter of this.take()) waiter.resolve();
  }

  reject(error: Error): void {
    for (const waiter of this.take()) waiter.reject(error);
  }

  private take(): readonly Waiter[] {
    const { waiters } = this;
    this.waiters = [];
    return waiters;
  }
}
