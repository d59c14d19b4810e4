// What is settled of a growing answer is what reading all of it anew would give.
import { parseMarkdownIntoBlocks } from "streamdown";
import { describe, expect, it } from "vitest";
import { createBlocks } from "../../page/blocks.ts";

const ANSWERS: Readonly<Record<string, string>> = {
  paragraphs: "One.\n\nTwo, **bold\nand** on.\n\n\n\nThree.\n\nFour\n",
  "headings underlined": "Text\n\nTitle\n===\n\nMore\n\nSmaller\n---\n\nText\n\n---\n\nEnd",
  lists: "- a\n- b\n\n  still b\n\n  - deep\n\n1. one\n\n2. two\n\nAfter.\n\n* x\n\n    indented\n\nEnd\n\nEnd",
  fences: "```py\na = 1\n\nb = 2\n```\n\nText\n\n~~~\nopen\n\nstill open\n\nand on",
  "indented code": "Text\n\n    code\n\n    more code\n\nText\n\n    code\n",
  quotes: "> a\n>\n> b\nlazy\n\nText\n\n> c\n\n> d\n\nEnd",
  tables: "| a | b |\n|---|---|\n| 1 | 2 |\n\nText\n\n| a |\n\nnone\n\nEnd",
  html: "<div>\n\ninside\n\n</div>\n\nText\n\n<details>\n\nopen\n\nand on\n\nand on",
  formulas: "$$\na\n\nb\n$$\n\nText\n\n$$ open\n\nand on\n\n",
  "named links": "See [this][1].\n\nText\n\nMore\n\n[1]: https://example.com\n\nEnd\n\nEnd",
  footnotes: "A note[^1].\n\nText\n\nMore\n\n[^1]: The note.\n\nEnd\n\nEnd",
  "line ends of Windows": "One.\r\n\r\nTwo.\r\n\r\nThree.\r\n\r\nFour.",
};

describe.each(Object.entries(ANSWERS))("an answer with %s", (_, answer) => {
  it("has the same blocks, however it grows", () => {
    for (const size of [1, 3, 20]) {
      const blocks = createBlocks();
      for (let end = 0; end <= answer.length + size; end += size) {
        const text = answer.slice(0, end);
        expect(blocks(text, false)).toEqual(parseMarkdownIntoBlocks(text));
      }
    }
  });
});

it("reads a block that is settled no more", () => {
  const blocks = createBlocks();
  const text = "One.\n\nTwo.\n\nThree.\n\nFour.\n\n";
  const before = blocks(text, true);
  const after = blocks(`${text}Five, and **bo`, true);
  expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
  expect(after.at(-1)).toBe("Five, and **bo**");
});

it("begins anew with a text that is another one", () => {
  const blocks = createBlocks();
  blocks("One.\n\nTwo.\n\nThree.\n\nFour.", true);
  expect(blocks("Else.\n\nWhere.", true)).toEqual(["Else.\n\n", "Where."]);
});

it("closes what is open in the last block alone", () => {
  const blocks = createBlocks();
  expect(blocks("A lone ** here.\n\nAnd *this", true)).toEqual(["A lone ** here.\n\n", "And *this*"]);
  expect(blocks("A lone ** here.\n\nAnd *this", false).at(-1)).toBe("And *this");
});
