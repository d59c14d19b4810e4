/**
 * The place that a reader runs in: a browser's page, a worker, or Node, whatever of it there is.
 *
 * Decides nothing. Every listener that it adds, it can remove.
 */
import type { Platform, Wake } from "./types.ts";

const hasDocument = typeof document !== "undefined";

function watchWakes(listener: (wake: Wake) => void): () => void {
  if (typeof addEventListener !== "function") return () => {};
  const watching = new AbortController();
  const { signal } = watching;
  addEventListener("online", () => listener("online"), { signal });
  if (hasDocument) {
    document.addEventListener(
      "visibilitychange",
      () => {
        if (document.visibilityState === "visible") listener("visible");
      },
      { signal },
    );
  }
  return () => watching.abort();
}

export const PLATFORM: Platform = {
  // Looked up at each call: what a page puts in the place of `fetch` counts.
  fetch: (url, init) => fetch(url, init),
  nowMs: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as number),
  watchWakes,
  isAway: () =>
    (hasDocument && document.visibilityState === "hidden") ||
    (typeof navigator !== "undefined" && navigator.onLine === false),
};
