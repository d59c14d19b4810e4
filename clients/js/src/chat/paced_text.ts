/**
 * The text of one answer as it is shown: even, where it arrived in bursts.
 *
 * Knows the display buffer and text that grows. The caller owns the clock and the screen, and asks
 * once per frame.
 */
import { DisplayBuffer } from "../smooth.ts";

export class PacedText {
  #shown: string;
  /** What the buffer has been given, and what was shown without it. */
  #arrived: string;
  #buffer = new DisplayBuffer();

  /** What was there before, after a reload, is shown at once. */
  constructor(shown: string) {
    this.#shown = this.#arrived = shown;
  }

  get shown(): string {
    return this.#shown;
  }

  /** Whether text has arrived that is not shown yet. */
  get isBehind(): boolean {
    return this.#shown.length < this.#arrived.length;
  }

  /** Move on to this moment. `text` is all that has arrived. */
  advance(text: string, nowMs: number): void {
    // What does not go on with the text before is another one: the answer is being read again.
    if (!text.startsWith(this.#arrived)) this.showAll("");
    const nowS = nowMs / 1_000;
    this.#buffer.push(text.slice(this.#arrived.length), nowS);
    this.#arrived = text;
    this.#shown += this.#buffer.pop(nowS);
  }

  /** Show everything at once: at the end, on a hidden page, and to who wants no motion. */
  showAll(text: string): void {
    if (this.#shown === text && this.#arrived === text) return;
    this.#shown = this.#arrived = text;
    this.#buffer = new DisplayBuffer();
  }
}
