// An answer is cut where markdown surely ends a block, and only its last piece changes.
import { expect, test } from "vitest";
import { cut, NOTHING, type Cut } from "../../page/pieces.ts";

const texts = (text: string) => cut(text).pieces.map((piece) => piece.text);

test("paragraphs and headings are pieces of their own", () => {
  expect(texts("One.\nStill one.\n\n# Two\n\nThree.")).toEqual(["One.\nStill one.\n\n", "# Two\n\nThree."]);
  expect(texts("One.\n\nTwo.\n\nThree.\n")).toEqual(["One.\n\n", "Two.\n\n", "Three.\n"]);
});

test("what may belong to the block before a blank line stays with it", () => {
  for (const text of [
    "- a\n\n- b\n",
    "1. a\n\n   more of a\n\n2. b\n",
    "> a\n\n> b\n",
    "- a\n\n  ```py\n  x = 1\n\ny\n  ```\n",
    "[^1]: a note\n\n    and more of it\n",
  ])
    expect(texts(text)).toEqual([text]);
});

test("code is a piece with its language, from the fence to the fence", () => {
  const [before, code, after] = cut("Look:\n```python title\nif a:\n\n    b\n```\nSo.").pieces;
  expect(before).toMatchObject({ kind: "markdown", text: "Look:\n" });
  expect(code).toMatchObject({ kind: "code", text: "if a:\n\n    b", language: "python", isOpen: false });
  expect(after).toMatchObject({ kind: "markdown", text: "So." });
});

test("a longer fence holds a shorter one, and tildes hold ticks", () => {
  expect(cut("````md\n```\nx\n```\n````\n").pieces[0]).toMatchObject({ text: "```\nx\n```" });
  expect(cut("~~~\n```\n~~~\n").pieces[0]).toMatchObject({ text: "```", isOpen: false });
});

test("code that is not closed is open, and a fence that is being written is no code", () => {
  expect(cut("```js\nlet a").pieces[0]).toMatchObject({ text: "let a", language: "js", isOpen: true });
  expect(cut("```js\nlet a\n``").pieces[0]).toMatchObject({ text: "let a", isOpen: true });
  expect(cut("```js\nlet a\n```").pieces[0]).toMatchObject({ text: "let a" });
});

const MIXED = "One.\n\nTwo *is* here:\n\n```js\nlet a;\n\n```\n\n- a\n\n  b\n- c\n\nEnd 🧵.\n\n| a |\n|---|\n| b |\n";

test("it is the same, however the text arrives, and what is complete stays the same object", () => {
  const whole = cut(MIXED);
  let grown: Cut = NOTHING;
  for (let length = 1; length <= MIXED.length; length += 1) {
    const next = cut(MIXED.slice(0, length), grown);
    for (const [index, piece] of grown.pieces.slice(0, -1).entries()) expect(next.pieces[index]).toBe(piece);
    grown = next;
  }
  expect(grown.pieces).toEqual(whole.pieces);
});

test("no text is lost or repeated: pieces of markdown are the text itself", () => {
  const long = "word ".repeat(5_000);
  expect(texts(long).join("")).toBe(long);
  const list = Array.from({ length: 500 }, (_, index) => `${index + 1}. an item of a list\n`).join("");
  expect(texts(list).join("")).toBe(list);
  for (const item of texts(list)) expect(item).toMatch(/^\d+\. an item/);
});

test.each([
  ["one line", "word ".repeat(40_000)],
  ["one line without spaces", "本".repeat(100_000)],
  ["one list", "- an item of a list\n".repeat(10_000)],
  ["one paragraph of many lines", "a line of a poem\n".repeat(10_000)],
])("however long %s is, a piece is not", (_, text) => {
  for (const piece of cut(text).pieces) expect(piece.text.length).toBeLessThan(4_500);
});

test("another text is cut anew", () => {
  expect(cut("Other.", cut("One.\n\nTwo.\n\nThree.")).pieces.map(({ text }) => text)).toEqual(["Other."]);
});
