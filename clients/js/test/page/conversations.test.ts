// The list of conversations, as a value.
import { expect, test } from "vitest";
import {
  bringBack,
  find,
  MAX_TITLE_CHARACTERS,
  noteQuestion,
  parseConversations,
  remove,
  rename,
  titleOf,
  type Conversations,
} from "../../page/conversations.ts";

const ask = (list: Conversations, id: string, question: string, atMs = 1) =>
  noteQuestion(list, { id, question, atMs, model: null });

test("the first question gives the title, and the newest conversation is on top", () => {
  const list = ask(ask(ask([], "a", "One?"), "b", "Two?"), "a", "Three?", 9);
  expect(list.map(({ id, title }) => [id, title])).toEqual([
    ["a", "One?"],
    ["b", "Two?"],
  ]);
  expect(list[0]!.askedAtMs).toBe(9);
});

test("a title is the first line, cut between words", () => {
  expect(titleOf("  What   is it?\nAnd why?")).toBe("What is it?");
  const long = titleOf("many words ".repeat(20));
  expect([...long].length).toBeLessThanOrEqual(MAX_TITLE_CHARACTERS);
  expect(long).toMatch(/(many|words)…$/);
  expect([...titleOf("🧵".repeat(100))].length).toBe(MAX_TITLE_CHARACTERS);
});

test("renaming to nothing changes nothing", () => {
  const list = ask([], "a", "One?");
  expect(rename(list, "a", "  ")).toBe(list);
  expect(rename(list, "a", "Better")[0]!.title).toBe("Better");
});

test("what is deleted is not found, until it is brought back", () => {
  const list = remove(ask([], "a", "One?"), "a");
  expect(find(list, "")).toEqual([]);
  expect(find(bringBack(list, "a"), "").map(({ id }) => id)).toEqual(["a"]);
});

test("a new question brings a deleted conversation back", () => {
  expect(find(ask(remove(ask([], "a", "One?"), "a"), "a", "Two?"), "").length).toBe(1);
});

test("words are found in titles, whatever their case", () => {
  const list = ask(ask([], "a", "About Ærø"), "b", "Else");
  expect(find(list, " ærø ").map(({ id }) => id)).toEqual(["a"]);
});

test("what was stored is read again, and what is none is left out", () => {
  const list = ask([], "a", "One?");
  expect(parseConversations(JSON.stringify(list))).toEqual(list);
  expect(parseConversations(JSON.stringify([...list, { id: 1 }, null]))).toEqual(list);
  for (const text of [null, "", "{", "{}", "7"]) expect(parseConversations(text)).toEqual([]);
});
