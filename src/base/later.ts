/**
 * A value that comes later, for the hot path: a promise costs several objects and turns of the microtask queue for
 * every step of a request; this is one object for all steps, and calls its one listener at once.
 *
 * It can be awaited like a promise (`then` makes one). It differs in what the hot path does without: there is one
 * listener, and nobody is told of a failure that no one listens to.
 */
import { assert } from "./assert.js";

/** Who waits for a `Later`. Neither may throw. */
export interface LaterListener<Value> {
  resolve(value: Value): void;
  reject(error: unknown): void;
}

export class Later<Value> implements PromiseLike<Value> {
  private state: "open" | "resolved" | "rejected" = "open";
  /** The value or the error, once there is one. */
  private outcome: unknown;
  private convert: ((value: never) => unknown) | undefined;
  private listener: LaterListener<Value> | undefined;

  /** One that is there already. */
  static of<Value>(value: Value): Later<Value> {
    const later = new Later<Value>();
    later.resolve(value);
    return later;
  }

  /** The first of `resolve` and `reject` counts. */
  resolve(value: Value): void {
    this.end("resolved", value);
  }

  reject(error: unknown): void {
    this.end("rejected", error);
  }

  /**
   * This same object, to resolve with what `convert` makes of the value instead; what `convert` throws rejects it. To
   * be called at most once, before anyone listens.
   */
  map<Converted>(convert: (value: Value) => Converted): Later<Converted> {
    assert(this.convert === undefined && this.listener === undefined, "a value is converted once, unheard");
    this.convert = convert;
    return this as unknown as Later<Converted>;
  }

  /** Tells `listener`, at once where there is an outcome already. To be called at most once; `then` does it too. */
  settle(listener: LaterListener<Value>): void {
    assert(this.listener === undefined, "a value that comes later has one listener");
    this.listener = listener;
    if (this.state !== "open") this.tell(listener);
  }

  // biome-ignore lint/suspicious/noThenProperty: it is there to be awaited.
  then<Resolved = Value, Rejected = never>(
    onResolved?: ((value: Value) => Resolved | PromiseLike<Resolved>) | null,
    onRejected?: ((error: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Resolved | Rejected> {
    const promise = new Promise<Value>((resolve, reject) => this.settle({ resolve, reject }));
    return promise.then(onResolved, onRejected);
  }

  private end(state: "resolved" | "rejected", outcome: unknown): void {
    if (this.state !== "open") return;
    this.state = state;
    this.outcome = outcome;
    if (this.listener !== undefined) this.tell(this.listener);
  }

  private tell(listener: LaterListener<Value>): void {
    if (this.state === "rejected") {
      listener.reject(this.outcome);
      return;
    }
    const { convert } = this;
    let value: Value;
    try {
      value = (convert === undefined ? this.outcome : convert(this.outcome as never)) as Value;
    } catch (error) {
      listener.reject(error);
      return;
    }
    listener.resolve(value);
  }
}
