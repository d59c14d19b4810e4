// Whoever draws the trace hears of it once a frame, and what is shown is counted as the wire counts.
import { expect, test } from "vitest";
import { createTraceStore } from "../../page/trace_store.ts";

function room() {
  const frames: (() => void)[] = [];
  const store = createTraceStore(
    () => 7,
    (callback) => frames.push(callback),
  );
  const drawFrame = () => frames.splice(0).forEach((frame) => frame());
  store.observe({ type: "request", atMs: 0, method: "POST", cursor: null, attempt: 0 });
  return { store, frames, drawFrame };
}

test("however much arrives, there is one call a frame", () => {
  const { store, frames, drawFrame } = room();
  let calls = 0;
  store.subscribe(() => (calls += 1));
  for (let atMs = 1; atMs < 100; atMs += 1)
    store.observe({ type: "arrival", atMs, events: 1, textLength: 3, cursor: "1" });
  expect(frames.length).toBe(1);
  drawFrame();
  expect(calls).toBe(1);
  expect(store.getSnapshot()?.arrived.at(-1)?.value).toBe(99 * 3);
});

test("while nobody draws, no frame is asked for", () => {
  const { store, frames } = room();
  const leave = store.subscribe(() => undefined);
  leave();
  store.show("text");
  expect(frames.length).toBe(0);
});

test("what is shown is counted in code points, and anew where another text begins", () => {
  const { store } = room();
  for (const text of ["🧵", "🧵día", "🧵día 日本"]) store.show(text);
  expect(store.getSnapshot()?.shown.map(({ value }) => value)).toEqual([1, 4, 7]);
  store.show("no");
  expect(store.getSnapshot()?.shown.at(-1)?.value).toBe(2);
});
