/**
 * What a screen reader is to say of a text that is still growing: whole sentences, each once.
 *
 * Pure. A sentence is over where something follows it, at the end of its line, or at the end of the
 * answer. Code is not read out: a single word stands for a block of it.
 */

const FENCE = /^\s*(?:```|~~~)/;
// Signs at the end of a sentence, with what closes after them, and space; or ideographic ones.
const SENTENCE_END = /[.!?…]+["'”’»)\]*_]*\s+|[。！？]+["'”’»）」』]*/gu;

export class Sentences {
  /** UTF-16 units of the text that have been handed out. */
  #takenUnits = 0;
  #isInCode = false;
  readonly #codeWord: string;

  /** `codeWord` is said in place of a block of code. */
  constructor(codeWord: string) {
    this.#codeWord = codeWord;
  }

  /** Return the sentences that are complete now and were not before, as text to speak. */
  take(text: string, isEnd: boolean): string {
    if (text.length < this.#takenUnits) this.#restart();
    const rest = text.slice(this.#takenUnits);
    const end = isEnd ? rest.length : this.#endOfComplete(rest);
    if (end === 0) return "";
    this.#takenUnits += end;
    const lines = rest.slice(0, end).split("\n").map((line) => this.#speak(line));
    return lines.join(" ").replace(/\s+/g, " ").trim();
  }

  /** Where the last complete sentence ends. Inside of a line of code nothing ends but the line. */
  #endOfComplete(rest: string): number {
    const line = rest.lastIndexOf("\n") + 1;
    const begun = rest.slice(line);
    const isCode = FENCE.test(begun) || this.#isInCode !== hasOddFences(rest.slice(0, line));
    if (isCode) return line;
    let end = 0;
    for (const match of begun.matchAll(SENTENCE_END)) end = match.index + match[0].length;
    return line + end;
  }

  #speak(line: string): string {
    if (FENCE.test(line)) {
      this.#isInCode = !this.#isInCode;
      return this.#isInCode ? this.#codeWord : "";
    }
    return this.#isInCode ? "" : withoutMarks(line);
  }

  #restart(): void {
    this.#takenUnits = 0;
    this.#isInCode = false;
  }
}

function hasOddFences(lines: string): boolean {
  return lines.split("\n").filter((line) => FENCE.test(line)).length % 2 === 1;
}

/** Return a line of markdown as it would be read out: without its signs, and without addresses. */
function withoutMarks(line: string): string {
  return line
    .replace(/^\s*(?:#{1,6}|[-*+>]|\|)\s+/, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\*\*|__|`|\|/g, " ")
    .replace(/(^|\s)[*_](\S)/g, "$1$2")
    .replace(/(\S)[*_](?=\s|$)/g, "$1");
}
