/**
 * The place that a reader runs in: a browser's page, a worker, or Node, whatever of it there is.
 *
 * Decides nothing. Every listener that it adds, it can remove.
 */
import type { Platform, Wake } from "./types.ts";

const page: Document | undefined = globalThis.document;

function watchWakes(listener: (wake: Wake) => void): () => void {
  const watching = new AbortController();
  const { signal } = watching;
  const whenSeen = () => {
    if (!page?.hidden) listener("visible");
  };
  // Node has no such events.
  globalThis.addEventListener?.("online", () => listener("online"), { signal });
  page?.addEventListener("visibilitychange", whenSeen, { signal });
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
  // Of a usual screen. A hidden page's timers are too slow to wait for.
  frameMs: () => (page?.hidden === false ? 16 : 0),
  isAway: () => page?.hidden || globalThis.navigator?.onLine === false,
};
