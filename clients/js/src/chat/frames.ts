/**
 * When to draw: at most every other frame of a usual screen, however much arrives, and less often
 * where drawing is dear.
 *
 * Text that grows 30 times a second looks as even as at 60, and costs half. On a slow device, or with
 * an interface that takes long to draw, it grows 20 times a second or 15, and the page stays free for
 * its reader's clicks and keys. After a pause, the first change is drawn in the very next frame, and
 * so is an end. A hidden page gets no frames: there, once a second is enough for whoever reads the
 * state (a title, another part of the page), and what waits is drawn at once when the page is seen
 * again.
 */
import { isHidden } from "./page.ts";

const INTERVAL_MS = 1_000 / 30;
/** With more than that between two draws, a text jumps. */
const MAX_INTERVAL_MS = 1_000 / 15;
/** One part in so many of the time goes into drawing; styles, layout and paint take as much again. */
const PARTS = 20;
const HIDDEN_INTERVAL_MS = 1_000;
// Of a usual screen; and where nothing has frames, as in Node.
const FRAME_MS = 1_000 / 60;

export class Frames {
  readonly #draw: () => void;
  readonly #nowMs: () => number;
  #cancel: (() => void) | null = null;
  #drawnAtMs = -Infinity;
  /** How long a draw takes of late. */
  #costMs = 0;

  constructor(draw: () => void, nowMs: () => number) {
    this.#draw = draw;
    this.#nowMs = nowMs;
  }

  /** Draw soon. Asking again before it changes nothing. */
  request(): void {
    if (this.#cancel !== null) return;
    const sinceMs = Math.abs(this.#nowMs() - this.#drawnAtMs);
    // The frame is asked for when half of the one before is over, so that rounding costs none.
    const intervalMs = Math.min(Math.max(INTERVAL_MS, PARTS * this.#costMs), MAX_INTERVAL_MS);
    const earlyMs = intervalMs - FRAME_MS / 2 - sinceMs;
    if (earlyMs <= 0 || isHidden()) return this.#inFrame();
    // A timer, since every frame that is asked for costs, whether it is drawn in or not.
    this.#cancel = after(earlyMs, () => this.#inFrame());
  }

  /** Draw in the very next frame, and at once on a page that gets none. */
  hurry(): void {
    if (isHidden()) return this.flush();
    this.cancel();
    this.#inFrame();
  }

  /** Draw now, in place of the next frame. */
  flush(): void {
    this.cancel();
    this.#drawnAtMs = this.#nowMs();
    this.#draw();
    // React draws in a microtask of its own, and has asked for it by now.
    queueMicrotask(() => this.#noteCost(this.#nowMs() - this.#drawnAtMs));
  }

  /** The clock counts whole milliseconds, and one draw is not like the other: this is a mean. */
  #noteCost(costMs: number): void {
    this.#costMs += (Math.max(0, costMs) - this.#costMs) / 8;
  }

  /** The page was hidden or shown: what waits for a frame of the one must not wait for the other. */
  noteVisibility(): void {
    if (this.#cancel === null) return;
    if (!isHidden()) return this.flush();
    this.cancel();
    this.request();
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #inFrame(): void {
    this.#cancel = inFrame(() => this.flush());
  }
}

function inFrame(callback: () => void): () => void {
  if (typeof requestAnimationFrame === "function" && !isHidden()) {
    const frame = requestAnimationFrame(callback);
    return () => cancelAnimationFrame(frame);
  }
  return after(isHidden() ? HIDDEN_INTERVAL_MS : FRAME_MS, callback);
}

function after(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}
