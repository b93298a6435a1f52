/** What can be built on the client alone: sessions, locks, elections. Interoperable with Go's clientv3/concurrency. */
export { Election, type Leader, type Leadership } from "./election.js";
export { type HeldLock, Mutex } from "./mutex.js";
export { RecipeError, type WaitOptions } from "./queue-key.js";
export { openSession, type Session, type SessionOptions } from "./session.js";
