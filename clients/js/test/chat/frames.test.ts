// @vitest-environment jsdom
/** When to draw. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Frames } from "../../src/chat/frames.ts";
import { setVisibility } from "./room.ts";

let drawnAtMs: number[];
let frames: Frames;
let beganAtMs: number;
let costMs: number;

beforeEach(() => {
  vi.useFakeTimers();
  beganAtMs = Date.now();
  drawnAtMs = [];
  costMs = 0;
  frames = new Frames(
    () => {
      drawnAtMs.push(Date.now() - beganAtMs);
      // As React does: asked for by the draw, and done after it.
      queueMicrotask(() => vi.setSystemTime(Date.now() + costMs));
    },
    () => Date.now(),
  );
});

afterEach(() => frames.cancel());

test("however often it is asked for, a frame is drawn once, and nothing after it", () => {
  for (let request = 0; request < 100; request += 1) frames.request();
  vi.advanceTimersByTime(500);
  expect(drawnAtMs).toEqual([16]);
  expect(vi.getTimerCount()).toBe(0);
});

test("what changes all the time is drawn in every other frame", () => {
  const timer = setInterval(() => frames.request(), 1);
  vi.advanceTimersByTime(336);
  clearInterval(timer);
  expect(drawnAtMs.length).toBe(11);
});

/** What changes all the time, where a draw takes so long: return how many draws there are in a second. */
async function drawsInASecond(): Promise<number> {
  for (const endMs = Date.now() + 1_000; Date.now() < endMs; ) {
    frames.request();
    await vi.advanceTimersByTimeAsync(1);
  }
  return drawnAtMs.splice(0).length;
}

test("where drawing is dear, it is drawn less often, but never so seldom that the text jumps", async () => {
  expect(await drawsInASecond()).toBe(31);
  costMs = 40;
  await drawsInASecond();
  expect(await drawsInASecond()).toBe(16);
  costMs = 0;
  await drawsInASecond();
  await drawsInASecond();
  expect(await drawsInASecond()).toBe(31);
});

test("after a pause, and when it is urgent, it is drawn in the next frame", () => {
  frames.request();
  vi.advanceTimersByTime(100);
  frames.request();
  vi.advanceTimersByTime(16);
  frames.request();
  frames.hurry();
  vi.advanceTimersByTime(16);
  expect(drawnAtMs).toEqual([16, 112, 128]);
});

test("a hidden page draws once a second, what is urgent at once, and the rest when it is seen", () => {
  frames.request();
  setVisibility("hidden");
  frames.noteVisibility();
  vi.advanceTimersByTime(999);
  expect(drawnAtMs).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(drawnAtMs).toEqual([1_000]);
  frames.request();
  frames.hurry();
  expect(drawnAtMs).toEqual([1_000, 1_000]);
  frames.request();
  setVisibility("visible");
  frames.noteVisibility();
  expect(drawnAtMs).toEqual([1_000, 1_000, 1_000]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a clock that goes back stops nothing", () => {
  frames.request();
  vi.advanceTimersByTime(16);
  vi.setSystemTime(beganAtMs - 60_000);
  frames.request();
  vi.advanceTimersByTime(50);
  expect(drawnAtMs.length).toBe(2);
});
