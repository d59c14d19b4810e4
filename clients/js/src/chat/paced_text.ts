/**
 * The text of one answer as it is shown: even, where it arrived in bursts.
 *
 * Knows the display buffer and text that grows. The caller owns the clock and the screen, and asks
 * once per frame.
 */
import { DisplayBuffer } from "../smooth.ts";

export class PacedText {
  #shown: string;
  /** How many UTF-16 units of the text the buffer has been given. */
  #arrivedUnits: number;
  #buffer = new DisplayBuffer();

  /** What was there before, after a reload, is shown at once. */
  constructor(shown: string) {
    this.#shown = shown;
    this.#arrivedUnits = shown.length;
  }

  get shown(): string {
    return this.#shown;
  }

  /** Whether text has arrived that is not shown yet. */
  get isBehind(): boolean {
    return this.#shown.length < this.#arrivedUnits;
  }

  /** A text that became shorter is another one: it is being read again. */
  noteLength(units: number): void {
    if (units < this.#arrivedUnits) this.#restart("");
  }

  /** Move on to this moment. `text` is all that has arrived. */
  advance(text: string, nowMs: number): void {
    this.noteLength(text.length);
    const nowS = nowMs / 1_000;
    if (text.length > this.#arrivedUnits) {
      this.#buffer.push(text.slice(this.#arrivedUnits), nowS);
      this.#arrivedUnits = text.length;
    }
    this.#shown += this.#buffer.pop(nowS);
  }

  /** Show everything at once: at the end, on a hidden page, and to who wants no motion. */
  showAll(text: string): void {
    if (this.#shown.length !== text.length || this.isBehind) this.#restart(text);
  }

  #restart(shown: string): void {
    this.#shown = shown;
    this.#arrivedUnits = shown.length;
    this.#buffer = new DisplayBuffer();
  }
}
