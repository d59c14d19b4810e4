/**
 * Holds the trace of the run that is being read, for whoever draws it.
 *
 * Tells them once a frame at most, however much arrives; and nobody, while nobody draws.
 */
import type { Observation } from "../src/types.ts";
import { observe, show, type Trace } from "./trace.ts";

export interface TraceStore {
  observe(observation: Observation): void;
  /** Note that so many characters are on the screen now. */
  show(characters: number): void;
  /** Forget the run: another conversation is open. */
  clear(): void;
  subscribe(listener: () => void): () => void;
  getSnapshot(): Trace | null;
}

export function createTraceStore(
  nowMs: () => number = Date.now,
  nextFrame: (callback: () => void) => unknown = requestAnimationFrame,
): TraceStore {
  let trace: Trace | null = null;
  let isAsked = false;
  const listeners = new Set<() => void>();

  const change = (next: Trace | null) => {
    if (next === trace) return;
    trace = next;
    if (isAsked || listeners.size === 0) return;
    isAsked = true;
    nextFrame(() => {
      isAsked = false;
      for (const listener of listeners) listener();
    });
  };
  return {
    observe: (observation) => change(observe(trace, observation)),
    show: (characters) => change(show(trace, nowMs(), characters)),
    clear: () => change(null),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getSnapshot: () => trace,
  };
}
