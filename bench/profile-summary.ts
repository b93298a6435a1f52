/** What a CPU profile of V8 says, summed up by room, file and function. */
import type { ProfilePart, WorkloadProfile } from "./results.js";

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** The part of V8's .cpuprofile format that is used. Times are microseconds of a monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const filesShown = 14;
const functionsShown = 24;

/** "src/mvcc/store.ts" for a file of ours, the package's name, or what of Node.js or V8 it is. */
export function placeOf(frame: CallFrame): string {
  const ours = /\/dist\/(.+)\.js$/.exec(frame.url)?.[1];
  if (ours !== undefined) return `src/${ours}.ts`;
  const dependency = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(frame.url)?.[1];
  if (dependency !== undefined) return dependency;
  if (frame.url.startsWith("node:")) return frame.url;
  return frame.functionName === "" ? "(anonymous)" : frame.functionName;
}

/** The room of src, or the outside that the place belongs to. */
export function roomOf(place: string): string {
  if (place.startsWith("node:")) return "Node.js";
  if (place === "(garbage collector)") return place;
  if (place.startsWith("src/transport/http2/")) return "src/transport/http2";
  if (place.startsWith("src/storage/")) return place.split("/").slice(0, 3).join("/");
  if (place.startsWith("src/")) return place.split("/").slice(0, 2).join("/");
  if (place === "(program)") return "(system calls and native code)";
  return "V8 and native functions";
}

function ranked(
  times: ReadonlyMap<string, number>,
  busy: number,
  requests: number,
  shown: number,
): ProfilePart[] {
  return [...times]
    .sort(([, left], [, right]) => right - left)
    .slice(0, shown)
    .map(([place, micros]) => ({ place, microsPerRequest: micros / requests, share: micros / busy }));
}

function add(times: Map<string, number>, place: string, micros: number): void {
  times.set(place, (times.get(place) ?? 0) + micros);
}

/** Self times between two points of the profile, given in microseconds since it started. */
export function summariseProfile(
  profile: CpuProfile,
  span: { readonly fromMicros: number; readonly toMicros: number },
  of: { readonly workload: string; readonly requests: number },
): WorkloadProfile {
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const rooms = new Map<string, number>();
  const files = new Map<string, number>();
  const functions = new Map<string, number>();
  let at = 0;
  let idle = 0;
  let busy = 0;
  profile.samples.forEach((id, index) => {
    // A sample stands for the time until the next one.
    at += profile.timeDeltas[index]!;
    const micros = profile.timeDeltas[index + 1] ?? 0;
    if (at < span.fromMicros || at >= span.toMicros || micros <= 0) return;
    const frame = frames.get(id)!;
    if (frame.functionName === "(idle)") {
      idle += micros;
      return;
    }
    busy += micros;
    const place = placeOf(frame);
    add(rooms, roomOf(place), micros);
    add(files, place, micros);
    add(functions, `${frame.functionName || "(anonymous)"} ${place}`, micros);
  });
  return {
    ...of,
    idleShare: idle + busy > 0 ? idle / (idle + busy) : 0,
    rooms: ranked(rooms, busy, of.requests, rooms.size),
    files: ranked(files, busy, of.requests, filesShown),
    functions: ranked(functions, busy, of.requests, functionsShown),
  };
}
