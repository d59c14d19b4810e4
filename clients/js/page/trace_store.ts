/**
 * Holds the trace of the run that is being read, for whoever draws it.
 *
 * Tells them once a frame at most, however much arrives; and nobody, while nobody draws.
 */
import type { Observation } from "../src/types.ts";
import { observe, show, type Trace } from "./trace.ts";

export interface TraceStore {
  observe(observation: Observation): void;
  /** Note that this text is on the screen now. */
  show(text: string): void;
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
  let shown = { text: "", length: 0 };
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
    show(text) {
      shown = { text, length: lengthAfter(shown, text) };
      change(show(trace, nowMs(), shown.length));
    },
    clear: () => change(null),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getSnapshot: () => trace,
  };
}

/** In code points, as the wire counts; only what is new is counted. */
function lengthAfter(before: { text: string; length: number }, text: string): number {
  return text.startsWith(before.text)
    ? before.length + [...text.slice(before.text.length)].length
    : [...text].length;
}
