// What the inspector makes of what it observes.
import { expect, test } from "vitest";
import type { Observation } from "../../src/types.ts";
import { MAX_INTERRUPTIONS, observe, show, type Trace } from "../../page/trace.ts";

const request = (atMs: number, cursor: string | null = null): Observation => ({
  type: "request",
  atMs,
  method: cursor === null ? "POST" : "GET",
  cursor,
  attempt: 0,
});
const answer = (atMs: number): Observation => ({ type: "answer", atMs, method: "GET", status: 200 });
const arrival = (atMs: number, textLength: number, cursor: string): Observation => ({
  type: "arrival",
  atMs,
  events: 1,
  textLength,
  cursor,
});
const interruption = (atMs: number, cursor: string | null): Observation => ({
  type: "interruption",
  atMs,
  cursor,
  problem: "The connection was lost.",
  retryAtMs: atMs + 100,
});
const end = (atMs: number): Observation => ({ type: "end", atMs, outcome: "completed", failure: null });

function traceOf(...observations: Observation[]): Trace {
  const trace = observations.reduce<Trace | null>(observe, null);
  if (trace === null) throw new Error("no run began");
  return trace;
}

test("text is counted as it arrives, with the time to the first and the longest gap", () => {
  const trace = traceOf(request(100), answer(110), arrival(120, 0, "0"), arrival(300, 5, "1"), arrival(900, 3, "4"));
  expect(trace.begunAtMs).toBe(100);
  expect(trace.firstTextAtMs).toBe(300);
  expect(trace.longestGapMs).toBe(600);
  expect(trace.arrived.map(({ value }) => value)).toEqual([5, 8]);
  expect(trace.cursor).toBe("4");
});

test("an interruption lasts until the next answer, and names the cursor it resumes after", () => {
  const broken = traceOf(request(0), answer(1), arrival(2, 5, "7"), interruption(10, "7"));
  expect(broken.interruptions).toEqual([
    { atMs: 10, cursor: "7", problem: "The connection was lost.", resumedAtMs: null },
  ]);
  const whole = observe(observe(broken, request(100, "7")), answer(120));
  expect(whole?.interruptions[0]?.resumedAtMs).toBe(120);
  expect(whole?.arrived.length).toBe(1);
});

test("an answer that refuses, and the answer to a stop, resume nothing", () => {
  const broken = traceOf(request(0), answer(1), interruption(10, null));
  const refused = observe(broken, { type: "answer", atMs: 20, method: "GET", status: 503 });
  const stopped = observe(refused, { type: "answer", atMs: 30, method: "DELETE", status: 200 });
  expect(stopped?.interruptions[0]?.resumedAtMs).toBeNull();
});

test("however often a connection breaks, the trace is bounded and its count is right", () => {
  const many = Array.from({ length: 3 * MAX_INTERRUPTIONS }, (_, index) => interruption(index, null));
  const trace = traceOf(request(0), ...many);
  expect(trace.interruptions.length).toBe(MAX_INTERRUPTIONS);
  expect(trace.interruptionCount).toBe(3 * MAX_INTERRUPTIONS);
});

test("the next run begins a new trace; what follows an end does not", () => {
  const ended = traceOf(request(0), answer(1), arrival(2, 5, "1"), end(3));
  expect(ended.endedAtMs).toBe(3);
  expect(observe(ended, { type: "request", atMs: 4, method: "DELETE", cursor: null, attempt: 0 })).toBe(ended);
  expect(observe(ended, request(5))?.arrived).toEqual([]);
});

test("what is seen before any run, and a frame that shows nothing new, change nothing", () => {
  expect(observe(null, arrival(1, 5, "1"))).toBeNull();
  expect(show(null, 1, 5)).toBeNull();
  const trace = show(traceOf(request(0)), 1, 5);
  expect(show(trace, 2, 5)).toBe(trace);
});
