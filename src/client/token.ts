/** The auth token of a client: fetched at the first call, again when a server no longer knows it. */
import type { AuthOptions } from "./options.js";

/** Asks the cluster for a token; undefined where authentication is not enabled there. */
export type Authenticate = (user: string, password: string) => Promise<string | undefined>;

export class TokenSource {
  private pending: Promise<string | undefined> | undefined;

  constructor(
    private readonly auth: AuthOptions | undefined,
    private readonly authenticate: Authenticate,
  ) {}

  /** The token to send, or undefined for none. Calls that arrive while it is fetched share the one fetch. */
  get(): Promise<string | undefined> {
    if (this.auth === undefined) return noToken;
    if (this.pending === undefined) {
      const fetched = "token" in this.auth ? Promise.resolve(this.auth.token) : this.fetch(this.auth);
      this.pending = fetched;
    }
    return this.pending;
  }

  /** Forgets a token that a server refused. False where no other can be had. */
  renew(refused: Promise<string | undefined>): boolean {
    if (this.auth === undefined || "token" in this.auth) return false;
    if (this.pending === refused) this.pending = undefined;
    return true;
  }

  private fetch(auth: { readonly user: string; readonly password: string }): Promise<string | undefined> {
    const fetched = this.authenticate(auth.user, auth.password);
    // A failed fetch is not kept: the next call tries again.
    fetched.catch(() => {
      if (this.pending === fetched) this.pending = undefined;
    });
    return fetched;
  }
}

const noToken: Promise<undefined> = Promise.resolve(undefined);
