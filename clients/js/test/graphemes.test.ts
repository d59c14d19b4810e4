// Grapheme clusters are the same, however a text is cut.
import { describe, expect, test } from "vitest";

import { GraphemeSplitter } from "../src/graphemes.ts";
import { vectors } from "./vectors.ts";

/** Return the clusters of a text that comes in these pieces. */
function clustersOf(pieces: readonly string[]): string[] {
  const splitter = new GraphemeSplitter();
  const clusters: string[] = [];
  for (const piece of pieces) {
    const { grown, begun } = splitter.feed(piece);
    if (grown) clusters.push(clusters.pop() + grown);
    clusters.push(...begun);
  }
  return clusters;
}

describe("conformance/graphemes", () => {
  test.each(vectors<{ clusters: string[] }>("graphemes"))("$name", ({ clusters }) => {
    const characters = [...clusters.join("")];
    expect(clustersOf([characters.join("")])).toEqual(clusters);
    expect(clustersOf(characters)).toEqual(clusters);
    for (let at = 0; at <= characters.length; at += 1) {
      const cut = [characters.slice(0, at).join(""), characters.slice(at).join("")];
      expect(clustersOf(cut)).toEqual(clusters);
    }
  });
});

test("a cluster that never ends costs no more for each mark", () => {
  const marks = ["e", ...new Array<string>(1000).fill("\u0301"), "f"];
  expect(clustersOf(marks)).toEqual([`e${"\u0301".repeat(1000)}`, "f"]);
});

test.each([
  ["a", true],
  ["\r", true],
  ["\n", false],
  ["\u200b", false],
  ["\u200d", true],
  ["\u2029", false],
])("after %j more text can continue the cluster: %j", (text, expected) => {
  const splitter = new GraphemeSplitter();
  splitter.feed(text);
  expect(splitter.mayGrow).toBe(expected);
});
