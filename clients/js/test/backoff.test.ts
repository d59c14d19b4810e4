// Waits double, are cut at random, and end.
import { expect, test } from "vitest";

import { parseRetryAfter, waitAfter } from "../src/backoff.ts";

test("the longest waits double, up to ten seconds, fifteen times", () => {
  const waits = Array.from({ length: 16 }, (_, failures) => waitAfter(failures + 1, 1));
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, ...new Array<number>(10).fill(10_000), null]);
});

test("chance cuts a wait anywhere down to nothing", () => {
  expect(waitAfter(3, 0)).toBe(0);
  expect(waitAfter(3, 0.25)).toBe(500);
});

test("what the server asks for is the least, and too much is a no", () => {
  expect(waitAfter(1, 0.5, 7000)).toBe(7000);
  expect(waitAfter(1, 0.5, 60_000)).toBe(60_000);
  expect(waitAfter(1, 0.5, 60_001)).toBeNull();
});

test.each([
  [null, 0],
  ["", 0],
  ["3", 3000],
  ["soon", 0],
  ["Thu, 01 Jan 1970 00:01:30 GMT", 0],
])("Retry-After: %j asks for %j ms", (value, expected) => {
  expect(parseRetryAfter(value)).toBe(expected);
});
