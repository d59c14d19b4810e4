// An id is two numbers, and no decimal fraction.
import { describe, expect, test } from "vitest";

import { AT_BEGINNING, formatCursor, parseCursor, sharesHistory } from "../src/cursor.ts";
import { vectors } from "./vectors.ts";

type Id = { id: string; offset: number; epoch: number; canonical?: string };

describe("conformance/cursors", () => {
  test.each(vectors<Id>("cursors", "ids"))("$name", (vector) => {
    const cursor = parseCursor(vector.id);
    expect(cursor).not.toBeNull();
    if (cursor === null) return;
    // JSON.parse rounds the vector's large offset as Number does; the text must not be rounded.
    expect(Number(cursor.offset)).toBe(vector.offset);
    expect(Number(cursor.epoch)).toBe(vector.epoch);
    expect(formatCursor(cursor)).toBe(vector.canonical ?? vector.id);
  });

  test.each(vectors<{ id: string }>("cursors", "refused"))("$name", ({ id }) => {
    expect(parseCursor(id)).toBeNull();
  });

  test.each(vectors<{ ids: [string, string]; shared: boolean }>("cursors", "histories"))("$name", (vector) => {
    const [one, other] = vector.ids.map((id) => parseCursor(id) ?? AT_BEGINNING) as [
      typeof AT_BEGINNING,
      typeof AT_BEGINNING,
    ];
    expect(sharesHistory(one, other)).toBe(vector.shared);
    expect(sharesHistory(other, one)).toBe(vector.shared);
  });
});

test("the beginning is a cursor", () => {
  expect(parseCursor("-1")).toEqual(AT_BEGINNING);
});

test("offsets that one double stands for are not the same", () => {
  const one = parseCursor("123456789012345678");
  const other = parseCursor("123456789012345679");
  expect(one && other && one.offset < other.offset).toBe(true);
});
