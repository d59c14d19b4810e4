/** What a tab shows after another one has written. */
import { expect, test } from "vitest";
import type { Ending } from "../../src/chat/ending.ts";
import { merge } from "../../src/chat/merge.ts";
import type { AssistantMessage, UserMessage } from "../../src/chat/message.ts";
import { NEW_RUN } from "../../src/reduce.ts";

const question: UserMessage = { id: "q", role: "user", text: "Why?", createdAt: 0 };
const open: AssistantMessage = {
  ...{ id: "a", role: "assistant", text: "Half", status: "streaming", ending: null, createdAt: 0 },
  run: { ...NEW_RUN, runId: "r", cursor: "1", text: "Half" },
};
const complete: Ending = { status: "completed", code: "complete", said: null, remedy: null };
const ended: AssistantMessage = {
  ...{ ...open, text: "Whole", status: "completed", ending: complete },
  run: { ...open.run, text: "Whole", cursor: "2", outcome: "completed" },
};
const gaveUp: Ending = { status: "lost", code: "connection_lost", said: null, remedy: "reconnect" };
const lost: AssistantMessage = { ...open, status: "lost", ending: gaveUp };

test("what is the same keeps its identity", () => {
  const merged = merge([question, ended], structuredClone([question, ended]), null);
  expect(merged[0]).toBe(question);
  expect(merged[1]).toBe(ended);
});

test("what has ended or come elsewhere is taken over", () => {
  expect(merge([question, open], [question, ended], null)).toEqual([question, ended]);
  expect(merge([], [question, open], null)).toEqual([question, open]);
});

test("what is gone elsewhere is gone", () => {
  expect(merge([question, ended], [], null)).toEqual([]);
});

test("the answer that is read here is better known here, but for its true end", () => {
  expect(merge([question, open], [question, lost], "a")[1]).toBe(open);
  expect(merge([question, open], [question, ended], "a")[1]).toBe(ended);
});
