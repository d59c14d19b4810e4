/**
 * When to draw: at most every other frame of a usual screen, however much arrives.
 *
 * Text that grows 30 times a second looks as even as at 60, and costs half. After a pause, the first
 * change is drawn in the very next frame, and so is an end. A hidden page gets no frames: there, once
 * a second is enough for whoever reads the state (a title, another part of the page), and what waits
 * is drawn at once when the page is seen again.
 */

// A little less than two frames at 60 Hz, since no frame comes on the dot.
const MIN_INTERVAL_MS = 30;
const HIDDEN_INTERVAL_MS = 1_000;
// Where nothing has frames, as in Node.
const FRAME_MS = 16;

export class Frames {
  readonly #draw: () => void;
  readonly #nowMs: () => number;
  #cancel: (() => void) | null = null;
  #isUrgent = false;
  #drawnAtMs = -Infinity;

  constructor(draw: () => void, nowMs: () => number) {
    this.#draw = draw;
    this.#nowMs = nowMs;
  }

  /** Draw soon. Asking again before it changes nothing. */
  request(): void {
    this.#cancel ??= schedule(() => this.#frame());
  }

  /** Draw in the next frame, and on a page that gets none now. */
  hurry(): void {
    if (isHidden()) return this.flush();
    this.#isUrgent = true;
    this.request();
  }

  /** Draw now, in place of the next frame. */
  flush(): void {
    this.cancel();
    this.#drawnAtMs = this.#nowMs();
    this.#draw();
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
    this.#isUrgent = false;
  }

  #frame(): void {
    this.#cancel = null;
    const isDue = Math.abs(this.#nowMs() - this.#drawnAtMs) >= MIN_INTERVAL_MS;
    if (isDue || this.#isUrgent) this.flush();
    else this.request();
  }
}

export function isHidden(): boolean {
  return typeof document !== "undefined" && document.visibilityState === "hidden";
}

function schedule(callback: () => void): () => void {
  if (typeof requestAnimationFrame === "function" && !isHidden()) {
    const frame = requestAnimationFrame(callback);
    return () => cancelAnimationFrame(frame);
  }
  const timer = setTimeout(callback, isHidden() ? HIDDEN_INTERVAL_MS : FRAME_MS);
  return () => clearTimeout(timer);
}
