/**
 * When to draw: once per frame of the screen at most, however much arrives.
 *
 * A hidden page gets no frames. There, once a second is enough for whoever reads the state (a title,
 * a test, another frame of the page), and what waits is drawn at once when the page is seen again.
 */

const HIDDEN_INTERVAL_MS = 1_000;
// Where nothing has frames, as in Node.
const FRAME_MS = 16;

export class Frames {
  readonly #draw: () => void;
  #cancel: (() => void) | null = null;

  constructor(draw: () => void) {
    this.#draw = draw;
  }

  /** Draw in the next frame. Asking again before it changes nothing. */
  request(): void {
    if (this.#cancel !== null) return;
    this.#cancel = schedule(() => {
      this.#cancel = null;
      this.#draw();
    });
  }

  /** Draw now, in place of the next frame. */
  flush(): void {
    this.cancel();
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
