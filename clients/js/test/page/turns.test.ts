// Many wait for their turn, and none of them holds up the page.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Turns } from "../../page/turns.ts";

let nowMs: number;
let turns: Turns;
let done: string[];

beforeEach(() => {
  vi.useFakeTimers();
  nowMs = 0;
  turns = new Turns(() => nowMs);
  done = [];
});

afterEach(() => {
  vi.useRealTimers();
});

function take(name: string, costMs = 0): () => void {
  return turns.take(() => {
    done.push(name);
    nowMs += costMs;
  });
}

const microtasks = () => Promise.resolve();

test("who came last is first, before any timer", async () => {
  for (const name of ["a", "b", "c"]) take(name);
  expect(done).toEqual([]);
  await microtasks();
  expect(done).toEqual(["c", "b", "a"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a slice is short, and the rest follows in tasks of its own", async () => {
  for (const name of ["a", "b", "c", "d", "e"]) take(name, 5);
  await microtasks();
  expect(done).toEqual(["e", "d"]);
  vi.advanceTimersToNextTimer();
  expect(done).toEqual(["e", "d", "c", "b"]);
  take("f", 5);
  vi.advanceTimersToNextTimer();
  expect(done).toEqual(["e", "d", "c", "b", "f", "a"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("who leaves is passed over", async () => {
  take("a");
  take("b")();
  await microtasks();
  expect(done).toEqual(["a"]);
  take("c");
  await microtasks();
  expect(done).toEqual(["a", "c"]);
});
