/**
 * Lets many do what takes its time one after the other, so that the page is free in between.
 *
 * Knows nothing of what they do. Who came last is first: in a conversation, that is what is seen.
 */

/** Half a frame of a usual screen: enough for what is seen, and nobody waits for it. */
const SLICE_MS = 8;

interface Turn {
  act: (() => void) | null;
}

export class Turns {
  readonly #nowMs: () => number;
  readonly #waiting: Turn[] = [];
  #isUnderWay = false;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /**
   * Have `act` called once, at its turn; the function that is returned takes that back.
   *
   * The first slice comes before anything is painted, for who asks in a layout effect.
   */
  take(act: () => void): () => void {
    const turn: Turn = { act };
    this.#waiting.push(turn);
    if (!this.#isUnderWay) {
      this.#isUnderWay = true;
      queueMicrotask(() => this.#work());
    }
    return () => {
      turn.act = null;
    };
  }

  #work(): void {
    const endMs = this.#nowMs() + SLICE_MS;
    for (let turn = this.#waiting.pop(); turn !== undefined; turn = this.#waiting.pop()) {
      turn.act?.();
      if (this.#nowMs() >= endMs) break;
    }
    this.#isUnderWay = this.#waiting.length > 0;
    if (this.#isUnderWay) setTimeout(() => this.#work(), 0);
  }
}
