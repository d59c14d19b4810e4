/**
 * Text that comes in pieces → grapheme clusters, what a reader takes for one character.
 *
 * `Intl.Segmenter` knows where a cluster ends. Where a browser lacks it, marks, joiners and pairs of
 * flags stay together, which is coarser and cuts rarely.
 */

// What nothing can continue: Unicode's control property, but for CR, which LF may follow.
const CONTROL =
  /[\0-\f\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb]$/;

/** Between these, nothing joins: most text, and a segmenter is slow. */
const PLAIN = /^[\n\x20-\x7e]*$/;

const COARSE = /\r\n|\p{RI}{2}|[^](?:[\p{M}\u200c\p{Emoji_Modifier}]|\u200d\p{Extended_Pictographic}?)*/gu;

/** A cluster longer than this is looked at from its end: nothing before decides what may join. */
const MAX_KEPT_LENGTH = 128;

const segmenter = typeof Intl !== "undefined" && Intl.Segmenter ? new Intl.Segmenter("en") : null;

function clustersOf(text: string): string[] {
  if (PLAIN.test(text)) return text.split("");
  if (segmenter) return Array.from(segmenter.segment(text), ({ segment }) => segment);
  return text.match(COARSE) ?? [];
}

/** One text's grapheme clusters, in order. */
export class GraphemeSplitter {
  #last = "";

  /** Whether more text could continue the last cluster: always, but after a control. */
  get mayGrow(): boolean {
    return this.#last !== "" && !CONTROL.test(this.#last);
  }

  /**
   * Return what of `text` continues the last cluster, and the clusters it begins. Joined in this
   * order they are `text`; any split of a text gives the same clusters.
   */
  feed(text: string): { grown: string; begun: string[] } {
    if (text === "") return { grown: "", begun: [] };
    const kept = this.#last;
    const begun = clustersOf(kept + text);
    const first = kept === "" ? "" : (begun.shift() ?? "");
    this.#last = (begun.at(-1) ?? first).slice(-MAX_KEPT_LENGTH);
    return { grown: first.slice(kept.length), begun };
  }
}
