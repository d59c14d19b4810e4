/**
 * When to draw: in a frame of the screen, and 30 times a second at most, however much arrives.
 *
 * Text that grows 30 times a second looks as even as at 60, and costs a reader's battery half.
 * A hidden page gets no frames. There, once a second is enough for whoever reads the state (a title,
 * a test, another frame of the page), and what waits is drawn at once when the page is seen again.
 */

const HIDDEN_INTERVAL_MS = 1_000;
// Where nothing has frames, as in Node.
const FRAME_MS = 16;
const INTERVAL_MS = 1_000 / 30;

export class Frames {
  readonly #draw: () => void;
  #cancel: (() => void) | null = null;
  #drawnAtMs = Number.NEGATIVE_INFINITY;

  constructor(draw: () => void) {
    this.#draw = draw;
  }

  /** Draw in the next frame. Asking again before it changes nothing. */
  request(): void {
    if (this.#cancel !== null) return;
    const draw = (): void => {
      this.#cancel = null;
      this.#drawnAtMs = performance.now();
      this.#draw();
    };
    // The frame before is asked for when half of it is over, so that rounding costs none.
    const earlyMs = this.#drawnAtMs + INTERVAL_MS - FRAME_MS / 2 - performance.now();
    if (earlyMs <= 0 || isHidden()) this.#cancel = inFrame(draw);
    // A timer, since every frame that is asked for costs, drawn in or not.
    else this.#cancel = after(earlyMs, () => (this.#cancel = inFrame(draw)));
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
