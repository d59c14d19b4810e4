// The fold of a run's events: immutable, in batches, and quick however long the answer is.
import { expect, test } from "vitest";

import { codePointLength, NEW_RUN, reduce } from "../src/reduce.ts";
import type { RunEvent } from "../src/types.ts";

const text = (words: string, choice = 0): RunEvent => ({ type: "text", text: words, choice });

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null) for (const part of Object.values(Object.freeze(value))) deepFreeze(part);
  return value;
}

test("a batch and its events one by one give the same run", () => {
  const events: RunEvent[] = [
    { type: "run_started", runId: "r1", model: "m", provider: "p", createdAt: 1 },
    { type: "reasoning", text: "hm", choice: 0 },
    text("Hel"),
    text("Bon", 2),
    text("lo"),
    { type: "tool_call", index: 1, id: "", name: "look", arguments: "{", choice: 0 },
    { type: "tool_call", index: 1, id: "c1", name: "other", arguments: "}", choice: 0 },
    { type: "refusal", text: "no", choice: 1 },
    { type: "choice_finished", choice: 2, finishReason: "length", rawFinishReason: null },
    { type: "unknown", payload: {} },
  ];
  let run = deepFreeze(NEW_RUN);
  for (const event of events) run = deepFreeze(reduce(run, [event], "9"));
  expect(reduce(NEW_RUN, events, "9")).toEqual(run);
  expect(run).toMatchObject({
    runId: "r1",
    cursor: "9",
    text: "Hello",
    reasoning: "hm",
    receivedLength: 8,
    toolCalls: [
      { id: null, name: null, arguments: "" },
      { id: "c1", name: "look", arguments: "{}" },
    ],
    otherChoices: [{ refusal: "no" }, { text: "Bon", finishReason: "length" }],
  });
});

test("the end says how the run went, and keeps the usage that was reported", () => {
  const usage = { inputTokens: 1, outputTokens: 2, totalTokens: 3, cachedInputTokens: null, reasoningTokens: null };
  const end: RunEvent = {
    type: "run_ended",
    outcome: "cancelled",
    finishReason: null,
    cancelledBy: "user",
    error: null,
    usage: null,
    timings: { firstProgressS: 0.5, durationS: 1 },
    length: 0,
  };
  expect(reduce(NEW_RUN, [{ type: "usage", usage }, end])).toMatchObject({
    outcome: "cancelled",
    cancelledBy: "user",
    usage,
    length: 0,
  });
});

test("nothing new is the very same run", () => {
  expect(reduce(NEW_RUN, [])).toBe(NEW_RUN);
});

test("a run is plain JSON", () => {
  const run = reduce(NEW_RUN, [text("Hello")], "1");
  expect(JSON.parse(JSON.stringify(run))).toEqual(run);
});

test.each(["", "Hello", "e\u0301", "😀", "a😀b👨‍👩‍👧c", "\ud800", "\ud800a\udc00", "\ud83d\ud83d\ude00"])(
  "the length of %j is counted in code points",
  (words) => {
    expect(codePointLength(words)).toBe([...words].length);
  },
);
