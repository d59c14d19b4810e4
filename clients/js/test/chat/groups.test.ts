// What changes in one group leaves the others as they are.
import { expect, test } from "vitest";
import { type Groups, inGroups } from "../../src/chat/groups.ts";
import { cut, NOTHING, type Cut, type Piece } from "../../page/pieces.ts";

test("a list stands in groups, the last of which may be shorter", () => {
  expect(inGroups([], 2)).toEqual([]);
  expect(inGroups(["a", "b", "c", "d", "e"], 2)).toEqual([["a", "b"], ["c", "d"], ["e"]]);
});

test("a group that is as before stays the same object, wherever it is", () => {
  const before = inGroups(["a", "b", "c", "d", "e", "f"], 2);
  const after = inGroups(["a", "b", "C", "d", "e", "f", "g"], 2, before);
  expect(after).toEqual([["a", "b"], ["C", "d"], ["e", "f"], ["g"]]);
  expect([after[0] === before[0], after[1] === before[1], after[2] === before[2]]).toEqual([true, false, true]);
});

test("pieces stand in groups, and only the last group changes while the text grows", () => {
  const text = Array.from({ length: 50 }, (_, index) => `Paragraph ${index}.\n\n`).join("");
  let grown: Cut = NOTHING;
  let groups: Groups<Piece> = [];
  for (let length = 1; length <= text.length; length += 1) {
    grown = cut(text.slice(0, length), grown);
    const next = inGroups(grown.pieces, 16, groups);
    // The piece that was the last one may have been completed.
    for (const [index, group] of groups.slice(0, -1).entries()) expect(next[index]).toBe(group);
    groups = next;
  }
  expect(groups.map(({ length }) => length)).toEqual([16, 16, 16, 2]);
  expect(groups.flat()).toEqual(grown.pieces);
});
