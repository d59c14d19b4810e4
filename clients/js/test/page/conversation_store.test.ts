// @vitest-environment jsdom
// The list of conversations is kept in this browser, and its tabs are in step.
import { beforeEach, expect, test } from "vitest";
import { noteQuestion, remove } from "../../page/conversations.ts";
import { createConversationStore } from "../../page/conversation_store.ts";

beforeEach(() => localStorage.clear());

const question = (id: string) => ({ id, question: `About ${id}`, atMs: 1, model: null });

test("what one tab notes, the next one finds", () => {
  createConversationStore(localStorage).change((list) => noteQuestion(list, question("a")));
  expect(createConversationStore(localStorage).getSnapshot().map(({ id }) => id)).toEqual(["a"]);
});

test("a change begins from what another tab has written, and loses nothing of it", () => {
  const [one, other] = [createConversationStore(localStorage), createConversationStore(localStorage)];
  one.change((list) => noteQuestion(list, question("a")));
  other.change((list) => noteQuestion(list, question("b")));
  expect(other.getSnapshot().map(({ id }) => id)).toEqual(["b", "a"]);
});

test("another tab's change is heard, and no longer after the last listener left", () => {
  const store = createConversationStore(localStorage);
  let calls = 0;
  const leave = store.subscribe(() => (calls += 1));
  createConversationStore(localStorage).change((list) => noteQuestion(list, question("a")));
  dispatchEvent(new StorageEvent("storage", { key: "tickertape.conversations" }));
  expect([calls, store.getSnapshot().length]).toEqual([1, 1]);
  leave();
  dispatchEvent(new StorageEvent("storage", { key: "tickertape.conversations" }));
  expect(calls).toBe(1);
});

test("what was deleted is gone for good when the page is next opened", () => {
  const store = createConversationStore(localStorage);
  for (const id of ["a", "b"]) store.change((list) => noteQuestion(list, question(id)));
  store.change((list) => remove(list, "a"));
  const purged: string[] = [];
  const next = createConversationStore(localStorage, (id) => purged.push(id));
  expect([purged, next.getSnapshot().map(({ id }) => id)]).toEqual([["a"], ["b"]]);
});

test("without storage, or without room in it, the list holds for the visit", () => {
  const full = { ...localStorage, getItem: () => null, setItem: () => { throw new DOMException("full"); } };
  for (const storage of [null, full as unknown as Storage]) {
    const store = createConversationStore(storage);
    for (const id of ["a", "b"]) store.change((list) => noteQuestion(list, question(id)));
    expect(store.getSnapshot().map(({ id }) => id)).toEqual(["b", "a"]);
  }
});
