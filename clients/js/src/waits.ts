/**
 * Ways to wait that something else can end.
 *
 * Leaves no timer and no listener behind.
 */
import type { Platform } from "./types.ts";

/** Three heartbeats, of one every 15 seconds: a server that is silent for longer is gone. */
export const SILENCE_TIMEOUT_MS = 45_000;

/** Return what the promise gives, or throw the signal's reason as soon as it is aborted. */
export function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  // Not every `fetch` in the world (a service worker's, say) heeds its signal.
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Wait so long, or until the signal is aborted; for ever, without a time. */
export function sleep(platform: Platform, delayMs: number | null, signal: AbortSignal): Promise<void> {
  let timer: unknown;
  const isOver = new Promise<void>((resolve) => {
    if (delayMs !== null) timer = platform.setTimeout(resolve, delayMs);
  });
  // That it was aborted is the caller's to look at.
  return unlessAborted(isOver, signal).catch(() => platform.clearTimeout(timer));
}
