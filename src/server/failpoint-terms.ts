/**
 * The terms of etcd's failpoint protocol (go.etcd.io/gofail): a chain of steps joined by "->", each an action
 * with optional conditions before it. Reaching the place runs the first step whose conditions hold.
 *
 *     sleep("100ms")            every time
 *     3*sleep(50)->panic        three times, then the next one stops the process
 *     10.5%return("broken")     in one of about ten cases
 */
import { parseDurationMs } from "./flags/duration.js";

export type FailpointStepAction =
  | { readonly kind: "off" }
  | { readonly kind: "panic"; readonly message: string | undefined }
  | { readonly kind: "sleep"; readonly durationMs: number }
  | { readonly kind: "return"; readonly value: string }
  | { readonly kind: "print" };

export type FailpointCondition =
  /** Holds this many times, then never again. */
  | { readonly kind: "count"; readonly times: number }
  | { readonly kind: "probability"; readonly fraction: number };

export interface FailpointStep {
  readonly conditions: readonly FailpointCondition[];
  readonly action: FailpointStepAction;
}

const stepPattern =
  /((?:\d+(?:\.\d*)?[*%])*)(off|return|sleep|panic|print)(\((?:"(?:[^"\\]|\\.)*"|[^()"]*)\))?/y;

/** The steps of `text`, or undefined where it is not a term. */
export function parseFailpointTerms(text: string): readonly FailpointStep[] | undefined {
  const steps: FailpointStep[] = [];
  let at = 0;
  while (at < text.length) {
    stepPattern.lastIndex = at;
    const match = stepPattern.exec(text);
    const step = match === null ? undefined : buildStep(match[1]!, match[2]!, match[3]);
    if (step === undefined) return undefined;
    steps.push(step);
    at = stepPattern.lastIndex;
    if (at === text.length) break;
    if (!text.startsWith("->", at) || at + 2 === text.length) return undefined;
    at += 2;
  }
  return steps.length === 0 ? undefined : steps;
}

function buildStep(
  conditionsText: string,
  actionName: string,
  argumentText: string | undefined,
): FailpointStep | undefined {
  const conditions: FailpointCondition[] = [];
  for (const [, number, mark] of conditionsText.matchAll(/([\d.]+)([*%])/g)) {
    if (mark === "*" && number!.includes(".")) return undefined;
    conditions.push(
      mark === "*"
        ? { kind: "count", times: Number(number) }
        : { kind: "probability", fraction: Number(number) / 100 },
    );
  }
  const argument = argumentText === undefined ? "" : parseArgument(argumentText.slice(1, -1));
  if (argument === undefined) return undefined;
  const action = buildAction(actionName, argument, argumentText !== undefined);
  return action === undefined ? undefined : { conditions, action };
}

/** A quoted text, a whole number, true, false, or nothing. */
function parseArgument(text: string): string | undefined {
  if (!text.startsWith('"')) return /^(-?\d+|true|false|)$/.test(text) ? text : undefined;
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}

function buildAction(name: string, argument: string, hasArgument: boolean): FailpointStepAction | undefined {
  switch (name) {
    case "off":
      return { kind: "off" };
    case "print":
      return { kind: "print" };
    case "panic":
      return { kind: "panic", message: hasArgument ? argument : undefined };
    case "return":
      return { kind: "return", value: argument };
    default: {
      const durationMs = /^\d+$/.test(argument) ? Number(argument) : parseDurationMs(argument);
      return durationMs === undefined || durationMs < 0 ? undefined : { kind: "sleep", durationMs };
    }
  }
}
