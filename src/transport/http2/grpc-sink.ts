/** The responses of a streaming call, with back-pressure towards its handler. */
import { type ResponseSink, RpcStatus, StatusCode } from "../rpc.js";

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: RpcStatus) => void;
}

/** The call that sends them. */
export interface Responder<Response> {
  /** False when the client is behind, or the call over. */
  respond(response: Response): boolean;
}

export class CallSink<Response> implements ResponseSink<Response> {
  private full = false;
  private cancelled = false;
  private waiters: Waiter[] = [];

  constructor(private readonly call: Responder<Response>) {}

  write(response: Response): boolean {
    if (this.cancelled) return false;
    this.full = !this.call.respond(response);
    return !this.full;
  }

  drained(): Promise<void> {
    if (this.cancelled) return Promise.reject(cancelledStatus());
    if (!this.full) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  drain(): void {
    this.full = false;
    for (const waiter of this.takeWaiters()) waiter.resolve();
  }

  cancel(): void {
    this.cancelled = true;
    for (const waiter of this.takeWaiters()) waiter.reject(cancelledStatus());
  }

  private takeWaiters(): readonly Waiter[] {
    const { waiters } = this;
    this.waiters = [];
    return waiters;
  }
}

/** What a handler sees that waits on a call which is over. */
export function cancelledStatus(): RpcStatus {
  return new RpcStatus(StatusCode.Canceled, "context canceled");
}
