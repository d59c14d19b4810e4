// @vitest-environment jsdom
// A page wakes its readers when the network is back, and when it is seen again.
import { afterEach, expect, test, vi } from "vitest";

import { PLATFORM } from "../src/platform.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

function show(isHidden: boolean): void {
  vi.spyOn(document, "hidden", "get").mockReturnValue(isHidden);
  document.dispatchEvent(new Event("visibilitychange"));
}

test("wakes are heard until nobody wants to know", () => {
  const wakes: string[] = [];
  const unwatch = PLATFORM.watchWakes((wake) => wakes.push(wake));
  window.dispatchEvent(new Event("online"));
  show(true);
  show(false);
  expect(wakes).toEqual(["online", "visible"]);
  unwatch();
  window.dispatchEvent(new Event("online"));
  show(false);
  expect(wakes).toEqual(["online", "visible"]);
});

test("a page is away when it is hidden, or when there is no network", () => {
  expect(PLATFORM.isAway()).toBe(false);
  show(true);
  expect(PLATFORM.isAway()).toBe(true);
  show(false);
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
  expect(PLATFORM.isAway()).toBe(true);
});

test("a page has pictures while it is seen", () => {
  show(false);
  expect(PLATFORM.frameMs()).toBe(16);
  show(true);
  expect(PLATFORM.frameMs()).toBe(0);
});
