// Code in its colours keeps its text.
import { expect, test } from "vitest";
import { highlight } from "../../page/highlight.ts";

test("the spans are the code, to the letter, and words of the language have their class", () => {
  const code = 'def f(a):\n    return "<b>" # why\n';
  const spans = highlight(code, "python");
  expect(spans?.map(({ text }) => text).join("")).toBe(code);
  expect(spans?.find(({ text }) => text === "def")?.className).toBe("hljs-keyword");
});

test("a language that is not known has no colours", () => {
  expect(highlight("x", "klingon")).toBeNull();
});
