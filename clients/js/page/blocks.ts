/**
 * Cuts an answer that grows into its blocks, and reads only what may still change.
 *
 * Markdown is read block by block. Once two more have begun, a block is settled: nothing that
 * comes later changes it, so it keeps its text and is not read again. Only the last block can
 * have something open (`**bol`), and only it is closed for the time being.
 */
import remend from "remend";
import { parseMarkdownIntoBlocks } from "streamdown";

/** What may give a meaning to text far above it: footnotes, and links that are named. */
const REACHES_BACK = /\[\^|^ {0,3}\[[^\]\n]+\]:/m;

/** As many blocks at the end stay open: a paragraph may become a heading, or join a list. */
const OPEN_BLOCKS = 2;

/** Return a function for one answer, which remembers what it has settled. */
export function createBlocks(): (text: string, isStreaming: boolean) => string[] {
  let settled: string[] = [];
  let settledText = "";

  return (text, isStreaming) => {
    if (!text.startsWith(settledText)) {
      settled = [];
      settledText = "";
    }
    const rest = text.slice(settledText.length);
    if (rest.includes("\r") || REACHES_BACK.test(rest)) {
      settled = [];
      settledText = "";
      return parseMarkdownIntoBlocks(isStreaming ? remend(text) : text);
    }
    const open = parseMarkdownIntoBlocks(rest);
    let count = open.length - OPEN_BLOCKS;
    // Between two blank lines nothing reaches over.
    while (count > 0 && !open[count - 1]?.endsWith("\n\n")) count -= 1;
    const blocks = [...settled, ...open];
    if (count > 0) {
      settled = blocks.slice(0, settled.length + count);
      settledText += open.slice(0, count).join("");
    }
    const last = blocks.length - 1;
    if (isStreaming && last >= 0) blocks[last] = remend(blocks[last] ?? "");
    return blocks;
  };
}
