/**
 * The display buffer: bursts of text in, an even flow for people who read out.
 *
 * Knows text and time; callers own the clock, the timer and the screen. The rules, and the order of
 * their arithmetic, are those of `conformance/smooth/README.md`, so that every language shows the
 * same text at the same moment:
 *
 * - A grapheme cluster is never cut. The last one that came may still grow, so it waits until
 *   something follows it, until its time is up, or for the end.
 * - The first text is due at once, whole. So is what continues a cluster already shown.
 * - All other text is spread evenly over the time until more is expected: the longest pause between
 *   arrivals, forgotten slowly.
 * - Nothing waits for longer than `maxDelayS`, and nothing is put off once it has a time.
 */
import { GraphemeSplitter } from "./graphemes.ts";

/** How often most screens change; to wake more often shows nothing more. */
export const FRAME_S = 1 / 60;

// An eighth of the time that passes: a pause of 200 ms is forgotten 1.6 s after it.
const FORGETTING = 0.125;

/**
 * What of one text to show now. One for each text that somebody reads.
 *
 * Times are seconds on one clock of the caller's; a time before an earlier one counts as that one.
 * Show what `pop` returns; after every `push` and `pop` ask `nextAtS` when to call `pop` again; at
 * the end show what `finish` returns.
 */
export class DisplayBuffer {
  readonly #frameS: number;
  readonly #maxWindowS: number;
  #nowS = -Infinity;
  #shownAtS = -Infinity;
  #splitter = new GraphemeSplitter();
  #firstAtS: number | null = null;
  #arrivedAtS = 0;
  #windowS = 0;
  // What to show at the next call; then whole clusters, of which number n (from `#head`) is due at
  // base + (taken + n) × interval; then the last one while it may grow.
  #ready = "";
  #waiting: string[] = [];
  #head = 0;
  #open = "";
  #openAtS = 0;
  #baseS = -Infinity;
  #intervalS = 0;
  #taken = 0;

  /** Hold text back for at most `maxDelayS` (0: show everything at once); both 0 s or more. */
  constructor({ maxDelayS = 0.25, frameS = FRAME_S }: { maxDelayS?: number; frameS?: number } = {}) {
    for (const value of [maxDelayS, frameS]) {
      if (!(value >= 0 && value < Infinity)) {
        throw new RangeError(`maxDelayS and frameS must be 0 seconds or more, not ${value}`);
      }
    }
    // A text's time may come right after a frame, and then it waits for the next one.
    this.#frameS = Math.min(frameS, maxDelayS);
    this.#maxWindowS = maxDelayS - this.#frameS;
  }

  /** Take what has arrived; no text is no arrival. */
  push(text: string, nowS: number): void {
    if (text === "") return;
    this.#advance(nowS);
    const { grown, begun } = this.#splitter.feed(text);
    if (this.#firstAtS === null) this.#firstAtS = this.#arrivedAtS = this.#nowS;
    if (this.#nowS === this.#firstAtS) {
      this.#ready += text;
      return;
    }
    this.#noteArrival();
    if (this.#open !== "") this.#open += grown;
    else this.#ready += grown; // the cluster it belongs to is on the screen
    if (begun.length > 0) {
      this.#closeLast();
      this.#plan(begun);
    }
  }

  /** Return the text to show now, possibly none. */
  pop(nowS: number): string {
    this.#advance(nowS);
    const text = this.#ready;
    if (text !== "") {
      this.#ready = "";
      this.#shownAtS = this.#nowS;
    }
    return text;
  }

  /** Return when to call `pop` again, at once if that has passed; null when nothing waits. */
  nextAtS(): number | null {
    let dueS: number;
    if (this.#ready !== "") dueS = this.#nowS;
    else if (this.#waitingCount > 0) dueS = this.#dueS;
    else if (this.#open !== "") dueS = this.#openAtS + this.#maxWindowS;
    else return null;
    return Math.max(dueS, this.#shownAtS + this.#frameS);
  }

  /** Return everything that is left. Another text may follow, as if in a new buffer. */
  finish(): string {
    const text = this.#ready + this.#waiting.slice(this.#head).join("") + this.#open;
    this.#splitter = new GraphemeSplitter();
    this.#firstAtS = null;
    this.#windowS = this.#intervalS = this.#taken = this.#head = 0;
    this.#baseS = -Infinity;
    this.#ready = this.#open = "";
    this.#waiting = [];
    return text;
  }

  get #waitingCount(): number {
    return this.#waiting.length - this.#head;
  }

  get #dueS(): number {
    return this.#baseS + this.#taken * this.#intervalS;
  }

  /** Move time on, and make ready what is due. */
  #advance(nowS: number): void {
    this.#nowS = Math.max(this.#nowS, nowS);
    this.#takeDue();
    const isUp = this.#nowS >= this.#openAtS + this.#maxWindowS;
    if (this.#open !== "" && this.#waitingCount === 0 && isUp) {
      this.#ready += this.#open;
      this.#open = "";
      this.#taken += 1;
    }
  }

  #takeDue(): void {
    while (this.#waitingCount > 0 && this.#dueS <= this.#nowS) {
      this.#ready += this.#waiting[this.#head];
      this.#head += 1;
      this.#taken += 1;
    }
  }

  #noteArrival(): void {
    const gapS = this.#nowS - this.#arrivedAtS;
    this.#arrivedAtS = this.#nowS;
    const pauseS = Math.min(gapS, this.#maxWindowS);
    this.#windowS = Math.max(pauseS, this.#windowS - gapS * FORGETTING);
  }

  /** Let the last cluster go at its time, for something follows it. */
  #closeLast(): void {
    if (this.#open === "") return;
    this.#waiting.push(this.#open);
    this.#open = "";
    this.#takeDue();
  }

  /**
   * Spread what waits and what came evenly, from now to the window's end. The flow keeps its phase:
   * what is left of the step under way, as a share of it, stays the same when the step changes.
   */
  #plan(begun: string[]): void {
    const leftS = this.#dueS - this.#nowS;
    const share = leftS > 0 && this.#intervalS > 0 ? leftS / this.#intervalS : 0;
    let intervalS = this.#windowS / (share + this.#waitingCount + begun.length);
    if (this.#waitingCount > 0) intervalS = Math.min(intervalS, this.#intervalS); // nothing is put off
    this.#baseS = this.#nowS + share * intervalS;
    this.#intervalS = intervalS;
    this.#taken = 0;
    if (this.#splitter.mayGrow) {
      this.#open = begun.pop() ?? "";
      this.#openAtS = this.#nowS;
    }
    // What has been taken is dropped here, once for each arrival.
    this.#waiting = [...this.#waiting.slice(this.#head), ...begun];
    this.#head = 0;
  }
}
