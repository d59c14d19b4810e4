// Any cut of the bytes gives the same blocks.
import { describe, expect, test } from "vitest";

import { BlockDecoder } from "../src/blocks.ts";
import { type Form, splits, toBytes, toText, vectors } from "./vectors.ts";

type Vector = { input: Form; events: { data: Form; type?: string; id?: Form }[]; last_event_id?: Form };

describe("conformance/sse", () => {
  // `type` and `retry_ms` are not looked at: the native wire has no event types, and a reader has
  // its own waits, so a block keeps neither.
  test.each(vectors<Vector>("sse"))("$name", (vector) => {
    const expected = vector.events.map(({ data, id }) => ({ id: toText(id ?? ""), data: toText(data) }));
    for (const pieces of splits(toBytes(vector.input))) {
      const decoder = new BlockDecoder();
      expect(pieces.flatMap((piece) => decoder.feed(piece))).toEqual(expected);
      expect(decoder.lastId).toBe(toText(vector.last_event_id ?? ""));
    }
  });
});

test("a heartbeat is counted, and is no block", () => {
  const decoder = new BlockDecoder();
  expect(decoder.feed(toBytes(": hb\n"))).toEqual([]);
  expect(decoder.comments).toBe(1);
  expect(decoder.feed(toBytes("id: 1\ndata: a\n\n: h"))).toEqual([{ id: "1", data: "a" }]);
  expect(decoder.comments).toBe(0);
  decoder.feed(toBytes("b\n"));
  expect(decoder.comments).toBe(1);
});

test("a block without an end is refused before it fills the memory", () => {
  const decoder = new BlockDecoder();
  const mebibyte = toBytes({ repeat: "a", times: 1024 * 1024 });
  decoder.feed(toBytes("data: "));
  expect(() => {
    for (let fed = 0; fed < 32; fed += 1) decoder.feed(mebibyte);
  }).toThrow("can't be read");
});
