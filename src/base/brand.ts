/**
 * The numbers of the field, told apart by the compiler. The brand is optional ("flavored"): a plain number that
 * arithmetic produced is accepted, a Term where an Index is wanted is not. All are safe integers: 2^53 terms or
 * revisions at a million a second last 285 years.
 */
declare const flavor: unique symbol;
type Flavored<Name extends string> = number & { readonly [flavor]?: Name };

/** Raft term, from 0 (before any election). Raft thesis, section 3.3. */
export type Term = Flavored<"term">;
/** Raft log index; the first entry has index 1, 0 means none. */
export type Index = Flavored<"index">;
/** Main revision of the store: an empty store is at 1, each writing transaction adds one. */
export type Revision = Flavored<"revision">;
/** Milliseconds since the Unix epoch, as the injected clock says. */
export type EpochMs = Flavored<"epochMs">;

/** Id of a cluster member: 64 bits, never 0. */
export type MemberId = bigint;
/** Id of a cluster: 64 bits. */
export type ClusterId = bigint;
/** Id of a lease: positive 63 bits; 0 means no lease. */
export type LeaseId = bigint;
/** Id of a request in flight: 64 bits, unique in the cluster. */
export type RequestId = bigint;
