// A store tells each listener once of each change.
import { expect, test, vi } from "vitest";

import { Store } from "../src/store.ts";

test("a new value is told once to each listener", () => {
  const store = new Store({ count: 0 });
  const one = vi.fn();
  const other = vi.fn();
  store.subscribe(one);
  store.subscribe(other);
  store.set({ count: 1 });
  expect(store.getSnapshot()).toEqual({ count: 1 });
  expect([one.mock.calls.length, other.mock.calls.length]).toEqual([1, 1]);
});

test("the very same value is no change", () => {
  const value = { count: 0 };
  const store = new Store(value);
  const listener = vi.fn();
  store.subscribe(listener);
  store.set(value);
  expect(listener).not.toHaveBeenCalled();
});

test("one function that subscribed twice hears until both have left", () => {
  const store = new Store(0);
  const listener = vi.fn();
  const leave = store.subscribe(listener);
  store.subscribe(listener);
  leave();
  store.set(1);
  expect(listener).toHaveBeenCalledTimes(1);
});

test("a listener that fails keeps nobody from hearing, and its error rises", async () => {
  const store = new Store(0);
  const other = vi.fn();
  const risen: unknown[] = [];
  vi.stubGlobal("queueMicrotask", (callback: () => void) => {
    try {
      callback();
    } catch (error) {
      risen.push(error);
    }
  });
  store.subscribe(() => {
    throw new Error("a listener's bug");
  });
  store.subscribe(other);
  store.set(1);
  vi.unstubAllGlobals();
  expect(other).toHaveBeenCalledTimes(1);
  expect(risen).toEqual([new Error("a listener's bug")]);
});
