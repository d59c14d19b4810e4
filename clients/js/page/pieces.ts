/**
 * Cuts the text of an answer into pieces that can be drawn one by one, so that the cost of what
 * arrives does not grow with what is there: only the last piece may still change.
 *
 * Knows where markdown surely ends a block, and no more of markdown. A cut that it misses costs
 * time; what is nearly never cut wrongly is only shown as two paragraphs.
 */

export type Piece =
  | {
      readonly kind: "markdown";
      readonly start: number;
      /** What is drawn: `head`, and the answer from `start` on. */
      readonly text: string;
      readonly isOpen: boolean;
      /** The head of the table that goes on here; empty where none does. */
      readonly head: string;
    }
  | {
      readonly kind: "code";
      readonly start: number;
      readonly text: string;
      readonly isOpen: boolean;
      /** What stands after the fence. */
      readonly language: string;
    };

/** From here on a piece is cut between two items or two lines, and not only between blocks. */
const LONG_CHARACTERS = 2_000;
/** A longer table goes on under its head once more, as on paper. */
const TABLE_CHARACTERS = 8_000;
/** A line that is longer is cut between two words: it is drawn whole with every change. */
const MAX_CHARACTERS = 4_000;

const FENCE = /^(`{3,})([^`\n]*)$|^(~{3,})(.*)$/;
const LIST_ITEM = /^(?:[-*+]|\d{1,9}[.)])\s/;
/** What rules off the head of a table; with a dash and a bar in it. */
const TABLE_RULE = /^[|:\- \t]+$/;
/** Lines that may belong to the block before the blank line: items, what is indented, quotes. */
const MAY_CONTINUE = /^(?:\s|[-*+]\s|\d{1,9}[.)]\s|>|\||\[\^?[^\]]*\]:)/;

export interface Cut {
  readonly text: string;
  readonly pieces: readonly Piece[];
}

export const NOTHING: Cut = { text: "", pieces: [] };

/** Cut the text; what has been cut before is kept, down to the same objects. */
export function cut(text: string, before: Cut = NOTHING): Cut {
  if (text === before.text) return before;
  const pieces = text.startsWith(before.text) ? before.pieces.slice(0, -1) : [];
  const last = pieces.length === 0 ? undefined : before.pieces.at(-1);
  let head = last?.kind === "markdown" ? last.head : "";
  for (let from = last?.start ?? 0; from < text.length; ) {
    const found = FENCE.test(lineAt(text, from)) ? codeAt(text, from) : markdownAt(text, from, head);
    pieces.push(found.piece);
    from = found.end;
    head = found.head;
  }
  return { text, pieces };
}

interface Found {
  piece: Piece;
  end: number;
  /** Of the table that goes on in the next piece. */
  head: string;
}

function codeAt(text: string, start: number): Found {
  const opening = lineAt(text, start);
  const match = FENCE.exec(opening)!;
  const fence = match[1] ?? match[3]!;
  const language = (match[2] ?? match[4] ?? "").trim().split(/\s/, 1)[0] ?? "";
  const begin = Math.min(text.length, start + opening.length + 1);
  // The same mark, at least as long, alone on its line.
  const closing = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}[ \\t]*$`, "m");
  const rest = text.slice(begin);
  const close = closing.exec(rest);
  const isClosed = close !== null && begin + close.index + close[0].length < text.length;
  if (close === null || !isClosed) {
    // A fence that is still being written is no code.
    const code = close === null ? rest.replace(/\n[`~]{0,2}$/, "\n") : rest.slice(0, close.index);
    return { piece: codePiece(start, code, language, true), end: text.length, head: "" };
  }
  const code = rest.slice(0, close.index);
  const end = begin + close.index + close[0].length + 1;
  return { piece: codePiece(start, code, language, false), end, head: "" };
}

function codePiece(start: number, code: string, language: string, isOpen: boolean): Piece {
  return { kind: "code", start, text: code.replace(/\n$/, ""), language, isOpen };
}

function markdownAt(text: string, start: number, head: string): Found {
  let isAfterBlank = false;
  let innerFence: string | null = null;
  let table = head;
  let before = "";
  const found = (end: number, next = ""): Found => {
    const isOpen = end >= text.length;
    return { piece: { kind: "markdown", start, text: head + text.slice(start, end), isOpen, head }, end, head: next };
  };
  for (let from = start; from < text.length; ) {
    const line = lineAt(text, from);
    const isWhole = from + line.length < text.length;
    const length = from - start;
    // What may be a row of a table stays with the rows before it: without its head it is none.
    const isRow = line.length <= MAX_CHARACTERS && line.includes("|");
    if (innerFence === null && length > 0 && isWhole) {
      const isBlockStart = isAfterBlank && line !== "" && !MAY_CONTINUE.test(line);
      const isLongEnough =
        length >= LONG_CHARACTERS && !isRow && (LIST_ITEM.test(line) || /^\p{L}/u.test(line));
      if (isBlockStart || isLongEnough || FENCE.test(line)) return found(from);
      if (isRow && table !== "" && length >= TABLE_CHARACTERS) return found(from, table);
    }
    if (line.length > MAX_CHARACTERS && innerFence === null) {
      const end = wordEnd(text, from + MAX_CHARACTERS);
      if (end < text.length) return found(end);
    }
    innerFence = fenceAfter(innerFence, line);
    if (!isRow) table = "";
    else if (table === "" && before.includes("|") && isTableRule(line)) table = `${before}\n${line}\n`;
    before = line;
    isAfterBlank = line.trim() === "";
    from += line.length + 1;
  }
  return found(text.length);
}

function isTableRule(line: string): boolean {
  return line.includes("-") && line.includes("|") && TABLE_RULE.test(line);
}

/** Code within a list or a quote stays in one piece with it. */
function fenceAfter(fence: string | null, line: string): string | null {
  const mark = /^[\s>]*(`{3,}|~{3,})/.exec(line)?.[1];
  if (mark === undefined) return fence;
  if (fence === null) return mark;
  return mark[0] === fence[0] && mark.length >= fence.length ? null : fence;
}

function wordEnd(text: string, from: number): number {
  const space = text.indexOf(" ", from);
  // A text without spaces may be one of a script that has none: not between two halves of a letter.
  if (space !== -1 && space < from + 200) return space + 1;
  const code = text.charCodeAt(from);
  return code >= 0xdc00 && code <= 0xdfff ? from + 1 : from;
}

function lineAt(text: string, from: number): string {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.slice(from) : text.slice(from, end);
}
