// Each browser's words for a network that failed; all else is a bug.
import { expect, test } from "vitest";

import { isNetworkError } from "../src/network.ts";

test.each([
  ["Chrome", "Failed to fetch"],
  ["Chrome, reading", "network error"],
  ["Firefox", "NetworkError when attempting to fetch resource."],
  ["Firefox, reading", "Error in input stream"],
  ["Safari", "Load failed"],
  ["Safari, on losing it", "The network connection was lost."],
  ["Safari, offline", "The Internet connection appears to be offline."],
  ["Node", "fetch failed"],
  ["Node, reading", "terminated"],
])("%s", (_, words) => {
  expect(isNetworkError(new TypeError(words))).toBe(true);
});

test("a DOMException of that name is one", () => {
  expect(isNetworkError(new DOMException("A network error occurred.", "NetworkError"))).toBe(true);
});

test.each([
  new TypeError("Failed to parse URL from nowhere"),
  new TypeError("undefined is not a function"),
  new Error("Failed to fetch"),
  new DOMException("aborted", "AbortError"),
  null,
  "Failed to fetch",
])("%s is none", (error) => {
  expect(isNetworkError(error)).toBe(false);
});
