/**
 * What the inspector knows of one run's reading: observations in, an immutable trace out.
 *
 * Knows no screen and no clock. Bounded, however long the run is.
 */
import type { Observation } from "../src/types.ts";
import { extend, type Series } from "./series.ts";

export interface Trace {
  /** When the run was asked for, or read again after a reload. */
  readonly begunAtMs: number;
  readonly endedAtMs: number | null;
  /** Characters so far. */
  readonly arrived: Series;
  readonly shown: Series;
  readonly firstTextAtMs: number | null;
  readonly lastTextAtMs: number | null;
  /** Between two arrivals of text. */
  readonly longestGapMs: number;
  readonly heartbeats: number;
  /** The first ones, up to `MAX_INTERRUPTIONS`. */
  readonly interruptions: readonly Interruption[];
  readonly interruptionCount: number;
  readonly failure: string | null;
  /** The last id that was applied, as it came. */
  readonly cursor: string | null;
}

export interface Interruption {
  readonly atMs: number;
  readonly cursor: string | null;
  readonly problem: string;
  /** When the next answer began; null until then. */
  readonly resumedAtMs: number | null;
}

export const MAX_INTERRUPTIONS = 100;

/** The trace after one more observation; a new one where a run begins. */
export function observe(trace: Trace | null, observation: Observation): Trace | null {
  if (trace === null || beginsAnother(trace, observation)) {
    return observation.type === "request" && observation.method !== "DELETE"
      ? beginTrace(observation.atMs, observation.cursor)
      : trace;
  }
  switch (observation.type) {
    case "request":
      return trace;
    case "answer":
      return observation.method === "DELETE" || observation.status >= 300
        ? trace
        : { ...trace, interruptions: resumed(trace.interruptions, observation.atMs) };
    case "arrival":
      return arrive(trace, observation.atMs, observation.textLength, observation.cursor);
    case "heartbeat":
      return { ...trace, heartbeats: trace.heartbeats + 1 };
    case "interruption": {
      const { atMs, cursor, problem } = observation;
      const isKept = trace.interruptions.length < MAX_INTERRUPTIONS;
      const interruption = { atMs, cursor, problem, resumedAtMs: null };
      return {
        ...trace,
        interruptions: isKept ? [...trace.interruptions, interruption] : trace.interruptions,
        interruptionCount: trace.interruptionCount + 1,
      };
    }
    case "end":
      return {
        ...trace,
        endedAtMs: observation.atMs,
        failure: observation.failure?.message ?? null,
      };
  }
}

/** The trace after the page has shown so many characters. */
export function show(trace: Trace | null, atMs: number, characters: number): Trace | null {
  if (trace === null || trace.shown.at(-1)?.value === characters) return trace;
  return { ...trace, shown: extend(trace.shown, { atMs, value: characters }) };
}

function beginTrace(atMs: number, cursor: string | null): Trace {
  return {
    begunAtMs: atMs,
    endedAtMs: null,
    arrived: [],
    shown: [],
    firstTextAtMs: null,
    lastTextAtMs: null,
    longestGapMs: 0,
    heartbeats: 0,
    interruptions: [],
    interruptionCount: 0,
    failure: null,
    cursor,
  };
}

function beginsAnother(trace: Trace, observation: Observation): boolean {
  return observation.type === "request" && trace.endedAtMs !== null && observation.method !== "DELETE";
}

function arrive(trace: Trace, atMs: number, textLength: number, cursor: string | null): Trace {
  if (textLength === 0) return { ...trace, cursor: cursor ?? trace.cursor };
  const value = (trace.arrived.at(-1)?.value ?? 0) + textLength;
  const gapMs = trace.lastTextAtMs === null ? 0 : atMs - trace.lastTextAtMs;
  return {
    ...trace,
    arrived: extend(trace.arrived, { atMs, value }),
    firstTextAtMs: trace.firstTextAtMs ?? atMs,
    lastTextAtMs: atMs,
    longestGapMs: Math.max(trace.longestGapMs, gapMs),
    cursor: cursor ?? trace.cursor,
  };
}

function resumed(interruptions: readonly Interruption[], atMs: number): readonly Interruption[] {
  if (interruptions.at(-1)?.resumedAtMs !== null) return interruptions;
  return interruptions.map((each) => (each.resumedAtMs === null ? { ...each, resumedAtMs: atMs } : each));
}
