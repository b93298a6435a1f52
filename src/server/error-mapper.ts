/** What a client is told of a failure, and what the member does about it. */
import { toRpcStatus } from "../api/error-table.js";
import { DamageError, storeError } from "../base/errors.js";
import type { Logger } from "../base/logger.js";
import type { ErrorMapper } from "../transport/rpc.js";

const caller = "api";

/** For services that read nothing from the store. */
export function errorMapper(logger: Logger): ErrorMapper {
  return (error) =>
    toRpcStatus(error, (unexpected) => {
      const text =
        unexpected instanceof Error ? (unexpected.stack ?? unexpected.message) : String(unexpected);
      logger.error(caller, "unexpected failure of a request", { error: text });
    });
}

/**
 * For services that read the store. Where a read meets damage the member must stop: it would meet it again, and what
 * else is damaged nobody knows. Its client is told that the server stopped, which sends it to another member.
 */
export function damageStops(mapError: ErrorMapper, fail: (error: unknown) => void): ErrorMapper {
  return (error) => {
    if (!(error instanceof DamageError)) return mapError(error);
    fail(error);
    return mapError(storeError("Stopped"));
  };
}
