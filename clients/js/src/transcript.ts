/**
 * What has been read of one run: which of the blocks are new, and whether they fit.
 *
 * Pure. Nothing is applied twice; what can't be of one history with what was read is an error,
 * never text; and at the end the text is as long as the server says.
 */
import type { Block } from "./blocks.ts";
import { AT_BEGINNING, type Cursor, parseCursor, sharesHistory } from "./cursor.ts";
import { Interruption, protocolError, ReaderError, recordsLost } from "./errors.ts";
import { NEW_RUN, reduce } from "./reduce.ts";
import type { RunEvent, RunState } from "./types.ts";
import { DONE, decodePayload } from "./wire.ts";

export class Transcript {
  /** The run, as far as it has been read. */
  run: RunState;
  /** Whether it has been read from its beginning. */
  readonly isWhole: boolean;
  readonly #after: Cursor;
  #cursor: Cursor;
  #rereadsEnd = false;

  /** Begin after a cursor, or where `state` ends. Throws when the cursor is none. */
  constructor(runId: string | null, { after, state }: { after?: string; state?: RunState } = {}) {
    const cursor = after ?? state?.cursor ?? null;
    const parsed = cursor === null ? AT_BEGINNING : parseCursor(cursor);
    if (parsed === null) {
      throw new RangeError(`${JSON.stringify(cursor)} is no cursor; give the id of a block, as 61 or 61.2`);
    }
    const isBeginning = parsed.offset < 0;
    this.isWhole = isBeginning || (state !== undefined && cursor === state.cursor);
    this.#cursor = this.#after = parsed;
    const known = this.isWhole && !isBeginning && state ? state : NEW_RUN;
    this.run = { ...known, runId: runId ?? known.runId, cursor: isBeginning ? null : cursor };
  }

  /** What to ask the server to go on after; null for everything. */
  get lastEventId(): string | null {
    return this.#rereadsEnd ? null : this.run.cursor;
  }

  /**
   * Take in blocks: what is new in them up to the first that is wrong, and return how many events
   * that was, and what was wrong.
   */
  take(blocks: readonly Block[]): { applied: number; error: unknown } {
    let events: RunEvent[] = [];
    let lastId = this.run.cursor;
    let applied = 0;
    let error: unknown = null;
    try {
      for (const block of blocks) {
        const event = this.#eventOf(block);
        if (event === null) continue;
        if (event.type === "run_ended") {
          // Its length is that of everything before it.
          this.run = reduce(this.run, events, lastId);
          events = [];
          this.#checkLength(event.length);
        }
        events.push(event);
        lastId = block.id;
        applied += 1;
        if (event.type === "run_ended") break;
      }
    } catch (found) {
      error = found;
    }
    this.run = reduce(this.run, events, lastId);
    return { applied, error };
  }

  /**
   * Have the last record read once more: the server says that the run ended with it, and the caller
   * had it already, but not what it says.
   *
   * From the beginning, since nothing tells the epoch of the record before it.
   */
  rereadEnd(): void {
    if (this.#rereadsEnd || this.#cursor !== this.#after || this.run.cursor === null) {
      throw protocolError("closed without an end");
    }
    this.#rereadsEnd = true;
  }

  /** Return the block's event, if it is new. */
  #eventOf({ id, data }: Block): RunEvent | null {
    if (data === DONE) throw new Interruption("The answer broke off.");
    const cursor = parseCursor(id);
    if (cursor === null || cursor.offset < 0) throw protocolError(`a block without an offset: ${JSON.stringify(id)}`);
    if (!sharesHistory(this.#cursor, cursor)) {
      throw recordsLost(`${id} can't be of one history with ${this.run.cursor}`);
    }
    if (cursor.offset <= this.#cursor.offset) {
      if (!this.#rereadsEnd || cursor.offset !== this.#after.offset) return null;
      const event = decodePayload(data);
      return event.type === "run_ended" ? event : null;
    }
    const event = decodePayload(data);
    if ((event.type === "run_started") !== (this.#cursor.offset < 0)) {
      throw protocolError(`${event.type} (${id}) can't follow ${this.run.cursor}`);
    }
    this.#cursor = cursor;
    return event;
  }

  #checkLength(length: number): void {
    if (this.isWhole && length !== this.run.receivedLength) {
      throw new ReaderError(
        "protocol_error",
        "A part of this answer is missing.",
        `${this.run.receivedLength} of ${length} characters have arrived`,
      );
    }
  }
}
