// @vitest-environment jsdom
/** The ready chat: what a reader sees, hears, and does with a keyboard. */
import { act, fireEvent, screen } from "@testing-library/react";
import { StrictMode } from "react";
import { expect, test, vi } from "vitest";
import { type AssistantMessage, Chat, type ChatProps } from "../../src/react/index.ts";
import { refuse } from "../chat/fake_server.ts";
import { browser, server, withServer } from "../chat/room.ts";
import { draw, wait } from "./screen.tsx";

async function open(props: ChatProps = {}) {
  return draw(
    <StrictMode>
      <Chat storage={browser.tab()} isPaced={false} {...withServer()} {...props} />
    </StrictMode>,
  );
}

const field = () => screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Message" });
const button = (name: string) => screen.getByRole("button", { name });
const log = () => screen.getByRole("log", { name: "Conversation" });
const answer = () => screen.getByRole("article", { name: "Answer" });
const heard = () => [...document.querySelectorAll(".tt-live p")].map(({ textContent }) => textContent);

async function ask(text: string) {
  fireEvent.change(field(), { target: { value: text } });
  fireEvent.keyDown(field(), { key: "Enter" });
  await wait();
}

test("Enter sends; the answer appears, and its paragraphs are text and no markup", async () => {
  await open();
  await ask("Why?");
  expect(field().value).toBe("");
  expect(answer().dataset["status"]).toBe("waiting");
  expect(document.querySelector(".tt-typing")).not.toBe(null);
  server.run.say("<b>One</b>\n\nTw");
  await wait();
  expect(document.querySelector(".tt-typing")).toBe(null);
  server.run.say("o\n").say("\nThree").end();
  await wait();
  expect(answer().querySelector(".tt-text")?.textContent).toBe("<b>One</b>\n\nTwo\n\nThree");
  expect(answer().querySelectorAll(".tt-plain > div").length).toBe(3);
  expect(answer().dataset["status"]).toBe("completed");
});

test("what is drawn grows at its end: what the reader has selected stays", async () => {
  await open();
  await ask("Why?");
  server.run.say("Tear it");
  await wait();
  const node = answer().querySelector(".tt-plain > div")?.firstChild;
  server.run.say(" anywhere");
  await wait();
  expect(answer().querySelector(".tt-plain > div")?.firstChild).toBe(node);
  expect(node?.textContent).toBe("Tear it anywhere");
});

test("a new line, and Enter while composing, send nothing", async () => {
  await open();
  fireEvent.change(field(), { target: { value: "日本" } });
  fireEvent.keyDown(field(), { key: "Enter", shiftKey: true });
  fireEvent.keyDown(field(), { key: "Enter", isComposing: true });
  fireEvent.keyDown(field(), { key: "Enter", keyCode: 229 });
  await wait();
  expect(server.calls).toEqual([]);
});

test("one button sends and stops, so the focus stays; a double click stops nothing", async () => {
  await open();
  expect(button("Send").getAttribute("aria-disabled")).toBe("true");
  fireEvent.change(field(), { target: { value: "Why?" } });
  button("Send").focus();
  fireEvent.click(button("Send"));
  await wait();
  expect(document.activeElement).toBe(button("Stop"));
  fireEvent.click(button("Stop"), { detail: 2 });
  await wait();
  expect(server.of("DELETE")).toEqual([]);
  server.run.say("Half");
  fireEvent.click(button("Stop"), { detail: 1 });
  await wait();
  expect(server.of("DELETE").length).toBe(1);
  expect(document.activeElement).toBe(button("Send"));
  expect(answer().dataset["status"]).toBe("cancelled");
  expect(answer().textContent).toContain("Stopped.");
});

test("Escape stops", async () => {
  await open();
  await ask("Why?");
  fireEvent.keyDown(field(), { key: "Escape" });
  await wait();
  expect(server.of("DELETE").length).toBe(1);
});

test("p2: a failure keeps the text, says why, and Try again asks again", async () => {
  await open();
  await ask("Why?");
  const error = { outcome: "failed", error: "the model stopped", code: "stalled", retryable: true };
  server.run.say("Half").end(error);
  await wait();
  expect(answer().textContent).toContain("Half");
  expect(answer().querySelector(".tt-note")?.textContent).toContain("The model stopped.");
  button("Try again").focus();
  fireEvent.click(button("Try again"));
  expect(document.activeElement).toBe(log());
  await wait();
  server.run.say("Whole").end();
  await wait();
  expect(answer().textContent).toBe("Whole");
});

test("a failure that would repeat offers no button", async () => {
  await open();
  server.refusals.push(refuse(413, "too_large"));
  await ask("Long?");
  expect(answer().dataset["status"]).toBe("failed");
  expect(screen.queryByRole("button", { name: "Try again" })).toBe(null);
});

test("a broken connection is told, and the word goes when it is healed", async () => {
  await open();
  await ask("Why?");
  server.run.say("Half");
  await wait();
  server.isReachable = false;
  server.run.cut();
  await wait(20_000);
  expect(document.querySelector(".tt-connection")?.textContent).toMatch(/^The server can't be reached\. /);
  server.isReachable = true;
  await wait(60_000);
  expect(document.querySelector(".tt-connection")?.textContent).toBe("");
  expect(screen.getAllByRole("status").length).toBe(2);
});

test("a screen reader hears whole sentences, each once, and the end", async () => {
  await open();
  await ask("Why?");
  expect(heard()).toEqual(["Waiting for the answer"]);
  for (const word of ["Tear", " it", ".", " Walk", " on"]) {
    server.run.say(word);
    await wait();
  }
  expect(heard()).toEqual(["Waiting for the answer", "Tear it."]);
  server.run.end();
  await wait();
  expect(heard()).toEqual(["Waiting for the answer", "Tear it.", "Walk on", "End of the answer."]);
  expect(log().getAttribute("aria-live")).toBe("off");
  expect(document.querySelector(".tt-live")?.getAttribute("aria-live")).toBe("polite");
});

test("what was there when the page was opened is not read out", async () => {
  const { unmount } = await open();
  await ask("Why?");
  server.run.say("Tear it. ");
  await wait();
  unmount();
  await open();
  await wait();
  expect(heard()).toEqual([]);
  server.run.say("Walk on. ");
  await wait();
  expect(heard()).toEqual(["Walk on."]);
});

test("each message has its own direction", async () => {
  await open();
  await ask("למה?");
  server.run.say("ככה.").end();
  await wait();
  for (const element of document.querySelectorAll(".tt-text")) expect(element.getAttribute("dir")).toBe("auto");
  expect(field().getAttribute("dir")).toBe("auto");
});

test("with 500 messages an update draws one of them", async () => {
  const renderText = vi.fn(({ text }: AssistantMessage) => text);
  const run = { text: "old", refusal: "", reasoning: "", runId: "r0", outcome: "completed" };
  const ending = { status: "completed", code: "complete", said: null, remedy: null };
  const messages = Array.from({ length: 500 }, (_, index) => ({
    ...{ id: `m${index}`, role: "assistant", createdAt: 0, run, ending },
  }));
  browser.texts.set("tickertape.2.chat.default", JSON.stringify({ messages, asked: null }));
  await open({ renderText });
  await ask("Why?");
  server.run.say("Tear");
  await wait();
  renderText.mockClear();
  server.run.say(" it");
  await wait();
  // StrictMode draws twice.
  expect(renderText.mock.calls.map(([{ text }]) => text)).toEqual(["Tear it", "Tear it"]);
  const drawn = [...document.querySelectorAll("article")];
  server.run.end();
  await wait();
  await ask("And?");
  // Nothing is made anew when the last message becomes an old one.
  expect([...document.querySelectorAll("article")].slice(0, 502)).toEqual(drawn);
});

test("the end stays in view until the reader scrolls up, and a button leads back", async () => {
  await open();
  await ask("Why?");
  const sizes = { scrollHeight: 1_000, clientHeight: 300, scrollTop: 700 };
  for (const [name, value] of Object.entries(sizes))
    Object.defineProperty(log(), name, { value, writable: true, configurable: true });
  fireEvent.scroll(log());
  expect(screen.queryByRole("button", { name: "Jump to latest" })).toBe(null);
  log().scrollTop = 200;
  fireEvent.scroll(log());
  fireEvent.click(button("Jump to latest"));
  expect(log().scrollTop).toBe(1_000);
  expect(document.activeElement).toBe(log());
  expect(screen.queryByRole("button", { name: "Jump to latest" })).toBe(null);
});

test("words, texts and what is around them can be replaced", async () => {
  await open({
    words: { send: "Senden", message: "Nachricht", endings: { stopped: "Angehalten." } },
    header: <h1>Head</h1>,
    empty: <p>Nothing yet</p>,
    renderText: ({ text }) => <strong>{text}</strong>,
    renderActions: ({ role }) => <button type="button">Copy {role}</button>,
  });
  expect(screen.getByText("Nothing yet")).not.toBe(null);
  fireEvent.change(screen.getByRole("textbox", { name: "Nachricht" }), { target: { value: "Warum?" } });
  fireEvent.click(button("Senden"));
  await wait();
  server.run.say("Darum").end();
  await wait();
  expect(answer().querySelector("strong")?.textContent).toBe("Darum");
  expect(button("Copy assistant")).not.toBe(null);
  expect(screen.queryByText("Nothing yet")).toBe(null);
});

test("a browser that keeps nothing is told of", async () => {
  await open();
  browser.isFull = true;
  await ask("Why?");
  await act(() => Promise.resolve());
  expect(screen.getByText(/a reload will lose it/)).not.toBe(null);
});
