// @vitest-environment jsdom
/** The hook: what it returns, how often it draws, and that effects may run twice. */
import { act } from "@testing-library/react";
import { memo, StrictMode, useEffect, version } from "react";
import { version as domVersion } from "react-dom";
import { renderToString } from "react-dom/server";
import { expect, inject, test, vi } from "vitest";
import { type ChatMessage, type ChatHandle, Conversation, useChat } from "../../src/react/index.ts";
import { browser, pass, server, withServer } from "../chat/room.ts";
import { draw, wait } from "./screen.tsx";

let chat: ChatHandle;
let renders = 0;

function Probe({ id = "default" }: { id?: string }) {
  chat = useChat({ id, storage: browser.tab(), isPaced: false, ...withServer() });
  useEffect(() => {
    renders += 1;
  });
  return <p>{chat.messages.map(({ text }) => text).join("|")}</p>;
}

test("these tests run on the React that they are meant for", () => {
  expect(version.split(".")[0]).toBe(String(inject("reactMajor")));
  expect(domVersion).toBe(version);
});

test("an answer is drawn as it flows", async () => {
  const { container } = await draw(<Probe />);
  act(() => void chat.send("Why?"));
  await wait();
  expect(chat.status).toBe("waiting");
  server.run.say("Tear it");
  await wait();
  expect(container.textContent).toBe("Why?|Tear it");
  server.run.say(" anywhere").end();
  await wait();
  expect(container.textContent).toBe("Why?|Tear it anywhere");
  expect(chat.status).toBe("ready");
});

test("a frame is drawn once, however much arrives in it", async () => {
  await draw(<Probe />);
  act(() => void chat.send("Count?"));
  await wait();
  server.run.say("0");
  await wait();
  renders = 0;
  await act(async () => {
    for (let number = 1; number <= 500; number += 1) {
      server.run.say(` ${number}`);
      await Promise.resolve();
    }
    await pass(16);
  });
  expect(renders).toBe(1);
});

test("the calls stay the same between renders", async () => {
  await draw(<Probe />);
  const { send, stop, regenerate, retry, clear } = chat;
  act(() => void chat.send("Why?"));
  await wait();
  expect([chat.send, chat.stop, chat.regenerate, chat.retry, chat.clear]).toEqual([
    send,
    stop,
    regenerate,
    retry,
    clear,
  ]);
  expect(chat.send).toBe(send);
});

test.each([5, 500])("with %i messages an update draws one message", async (count) => {
  const drawn = vi.fn();
  const Message = memo(function Message({ message }: { message: ChatMessage }) {
    drawn(message.id);
    return <li>{message.text}</li>;
  });
  function List({ conversation }: { conversation: Conversation }) {
    const { messages } = useChat(conversation);
    return messages.map((message) => <Message key={message.id} message={message} />);
  }
  const messages = Array.from({ length: count }, (_, index) => ({
    ...{ id: `m${index}`, role: "user", text: `${index}`, createdAt: 0 },
  }));
  browser.texts.set("tickertape.2.chat.default", JSON.stringify({ messages, asked: null }));
  const conversation = new Conversation({ storage: browser.tab(), isPaced: false, ...withServer() });
  await draw(<List conversation={conversation} />);
  expect(drawn).toHaveBeenCalledTimes(count);
  act(() => void conversation.send("Why?"));
  await wait();
  server.run.say("Tear");
  await wait();
  drawn.mockClear();
  server.run.say(" it");
  await wait();
  expect(drawn).toHaveBeenCalledTimes(1);
});

test("p7: StrictMode's second effect asks and resumes nothing twice", async () => {
  const strict = (
    <StrictMode>
      <Probe />
    </StrictMode>
  );
  const first = await draw(strict);
  act(() => void chat.send("Why?"));
  await wait();
  server.run.say("Half");
  await wait();
  expect(server.calls.map(({ method }) => method)).toEqual(["POST"]);
  first.unmount();
  await wait();
  expect([server.run.readers, browser.watchers]).toEqual([0, 0]);
  await draw(strict);
  await wait();
  expect(server.calls.map(({ method }) => method)).toEqual(["POST", "GET"]);
  server.run.say(" whole").end();
  await wait();
  expect(chat.messages.at(-1)?.text).toBe("Half whole");
});

test("p4: a component that goes away stops reading, and nothing else", async () => {
  const { unmount } = await draw(<Probe />);
  act(() => void chat.send("Why?"));
  await wait();
  unmount();
  await wait();
  expect(server.run.readers).toBe(0);
  expect(server.of("DELETE")).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("another id is another conversation, at once", async () => {
  const { rerender, container } = await draw(<Probe id="one" />);
  act(() => void chat.send("One?"));
  await wait();
  server.run.say("1");
  await wait();
  rerender(<Probe id="two" />);
  expect(container.textContent).toBe("");
  await wait();
  expect(server.run.readers).toBe(0);
  rerender(<Probe id="one" />);
  expect(container.textContent).toBe("One?|1");
  await wait();
  expect(server.run.readers).toBe(1);
});

test("on a server there is nothing yet, and nothing is asked", () => {
  expect(renderToString(<Probe />)).toBe("<p></p>");
  expect(server.calls).toEqual([]);
});
