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

const LONG_TABLE = `| a | b |\n|---|---|\n${"| a few words | and some more of them |\n".repeat(450)}\nAfter it.\n`;

test.each([
  ["a mixed text", MIXED],
  ["a long table", LONG_TABLE],
])("%s is cut the same, however it arrives, and what is complete stays the same object", (_, text) => {
  const whole = cut(text);
  let grown: Cut = NOTHING;
  for (let length = 1; length <= text.length; length += 1) {
    const next = cut(text.slice(0, length), grown);
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

test("a long table goes on under its head once more: rows without it would be no table", () => {
  for (const [head, row] of [
    ["| a | b |\n|---|---:|\n", "| left | right |\n"],
    ["a | b\n---|---\n", "left | right\n"],
  ] as const) {
    const pieces = texts(`${head}${row.repeat(1_000)}\nAfter it.\n`);
    expect(pieces.pop()).toBe("After it.\n");
    for (const piece of pieces) {
      expect(piece.startsWith(head + row)).toBe(true);
      expect(piece.length).toBeLessThan(8_100);
    }
    expect(pieces.map((piece) => piece.slice(head.length)).join("")).toBe(`${row.repeat(1_000)}\n`);
  }
});

test("a table that is not long is one piece, and what looks like its rows is none", () => {
  const table = `| a | b |\n|---|---|\n${"| some words | and more |\n".repeat(100)}`;
  expect(texts(table)).toEqual([table]);
  const pipes = "a || b\n".repeat(2_000);
  expect(texts(pipes)).toEqual([pipes]);
});

test("another text is cut anew", () => {
  expect(cut("Other.", cut("One.\n\nTwo.\n\nThree.")).pieces.map(({ text }) => text)).toEqual(["Other."]);
});
