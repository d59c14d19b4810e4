/**
 * A cursor: the last record that a reader has applied. As text it is the id of a block, `61`, or
 * `61.2` where another process had taken the run over.
 *
 * Two numbers, never a decimal fraction: `61.1` and `61.10` are two records. Send the text back as
 * it came. Knows no run: whether the record is still there is for the server to say.
 */

/** Beyond what a double holds exactly, a bigint; below, never one: so `===` compares two of them. */
type Whole = number | bigint;

export interface Cursor {
  readonly offset: Whole;
  readonly epoch: Whole;
}

/** Before the first record. */
export const AT_BEGINNING: Cursor = { offset: -1, epoch: 1 };

// No number is longer than a log's 64 bits can hold.
const TEXT = /^(?:-1|(\d{1,18})(?:\.([1-9]\d{0,17}))?)$/;

function whole(digits: string): Whole {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}

/** Return the cursor that the text is; null when it is none. */
export function parseCursor(text: string): Cursor | null {
  const found = TEXT.exec(text);
  return found && { offset: whole(found[1] ?? "-1"), epoch: whole(found[2] ?? "1") };
}

/** Return the cursor's text. */
export function formatCursor({ offset, epoch }: Cursor): string {
  return epoch === 1 ? `${offset}` : `${offset}.${epoch}`;
}

/** Tell whether one history can have both records: epochs never fall as offsets rise. */
export function sharesHistory(one: Cursor, other: Cursor): boolean {
  if (one.offset < other.offset) return one.epoch <= other.epoch;
  if (one.offset > other.offset) return one.epoch >= other.epoch;
  return one.epoch === other.epoch;
}
