/** What a screen reader is to say of a text that grows. */
import { expect, test } from "vitest";
import { Sentences } from "../../src/chat/sentences.ts";

function spoken(text: string, step: number): string[] {
  const sentences = new Sentences("Code.");
  const said: string[] = [];
  for (let end = step; end < text.length; end += step) said.push(sentences.take(text.slice(0, end), false));
  said.push(sentences.take(text, true));
  return said.filter((one) => one !== "");
}

test("sentences are said when they are complete, each once", () => {
  expect(spoken("Tear it anywhere. Walk on! And the rest", 1)).toEqual([
    "Tear it anywhere.",
    "Walk on!",
    "And the rest",
  ]);
});

test("a number or an address is no end of a sentence", () => {
  expect(spoken("It is 3.14, see a.example.org. Fine.", 1)).toEqual(["It is 3.14, see a.example.org.", "Fine."]);
});

test("ideographic sentences need no space after them", () => {
  expect(spoken("你好。再见！", 1)).toEqual(["你好。", "再见！"]);
});

test("a line is said when it is over", () => {
  expect(spoken("# Title\n- one\n- two", 1)).toEqual(["Title", "one", "two"]);
});

test("code is one word, whatever is in it", () => {
  const text = "So:\n```js\nlet a = 1. \nlet b = 2;\n```\nDone. Bye.";
  expect(spoken(text, 1)).toEqual(["So:", "Code.", "Done.", "Bye."]);
  expect(spoken(text, 1_000)).toEqual(["So: Code. Done. Bye."]);
});

test("markdown's signs and addresses are not said", () => {
  expect(spoken("**Bold** and `code`, *more* [here](https://example.org/).", 1_000)).toEqual([
    "Bold and code , more here.",
  ]);
});

test("a text that begins anew is said from its beginning", () => {
  const sentences = new Sentences("Code.");
  sentences.take("One. Two. ", false);
  expect(sentences.take("New. ", false)).toBe("New.");
});
