/** The receiving side of a store image: written beside the store in use, verified whole, then switched to. */
import type { AppliedMark, RevisionStore } from "./revision-store.js";

export interface ReceivedImage {
  readonly applied: AppliedMark;
  /**
   * Makes the image the store, atomically and durably, and opens it. The store in use must be closed before.
   * After a crash at any step the directory holds either the old store or the new one, whole.
   */
  install(): Promise<RevisionStore>;
  /** Removes what was received. Safe after `install`. */
  discard(): Promise<void>;
}

export interface ImageReceiver {
  /** Writes and verifies the stream; rejects with DamageError when it is cut or altered, leaving nothing behind. */
  receive(chunks: AsyncIterable<Uint8Array>): Promise<ReceivedImage>;
}
