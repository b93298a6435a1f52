/** `endpoint health`: a linearizable read on each endpoint at the same time, and the alarms. */
import { performance } from "node:perf_hooks";
import { AlarmType, GrpcCode, isClientError } from "../../client/index.js";
import { failureText } from "../client-error.js";
import type { CommandSpec } from "../command.js";
import { CliFailure, ExitCode } from "../failure.js";
import { formatDuration } from "../go-format.js";
import type { EndpointHealth } from "../printers/printer.js";
import type { Session } from "../session.js";
import { chosenEndpoints } from "./endpoint.js";

export const endpointHealthCommand: CommandSpec = {
  use: "health",
  async run(context) {
    const session = await context.session();
    const items: EndpointHealth[] = [];
    const endpoints = await chosenEndpoints(context);
    // In the order in which they answer, as etcdctl prints them.
    await Promise.all(endpoints.map(async (endpoint) => items.push(await checkHealth(session, endpoint))));
    session.printer.print({ kind: "endpointHealth", items });
    const failed = items.filter((item) => item.error !== "");
    if (session.printer.format === "simple") {
      for (const { endpoint, error } of failed) {
        context.host.error(`${endpoint} is unhealthy: failed to commit proposal: ${error}\n`);
      }
    }
    if (failed.length > 0) throw new CliFailure(ExitCode.Error, "unhealthy cluster");
  },
};

async function checkHealth(session: Session, endpoint: string): Promise<EndpointHealth> {
  const client = session.client([endpoint]);
  const clock = session.startClock();
  const startedMs = performance.now();
  const result = (error: string, tookMs: number): EndpointHealth => {
    return { endpoint, health: error === "", took: formatDuration(tookMs), error };
  };
  try {
    await client.kv.get("health", clock());
  } catch (error) {
    const tookMs = performance.now() - startedMs;
    // Being refused the key is a sign of health: the refusal went through consensus.
    const refused = isClientError(error, GrpcCode.PermissionDenied, "etcdserver: permission denied");
    if (!refused) return result(failureText(error), tookMs);
  }
  const tookMs = performance.now() - startedMs;
  try {
    const { alarms } = await client.maintenance.alarmList(clock());
    if (alarms.length === 0) return result("", tookMs);
    const names = alarms.map(({ alarm }) => (alarm === AlarmType.NONE ? "UNKNOWN" : AlarmType[alarm]));
    return result(`Active Alarm(s): ${names.map((name) => `${name ?? "UNKNOWN"} `).join("")}`, tookMs);
  } catch {
    return result("Unable to fetch the alarm list", tookMs);
  }
}
