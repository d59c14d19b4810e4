/** A conversation, its server and its browser, on fake time. */
import { afterEach, beforeEach, vi } from "vitest";
import { Conversation } from "../../src/chat/conversation.ts";
import type { ConversationOptions } from "../../src/chat/options.ts";
import { type AssistantMessage, type ChatMessage } from "../../src/chat/message.ts";
import { FakeBrowser } from "./fake_tabs.ts";
import { FakeServer } from "./fake_server.ts";

export let server: FakeServer;
export let browser: FakeBrowser;
const closers: (() => void)[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  browser = new FakeBrowser();
});

afterEach(() => {
  closers.splice(0).forEach((close) => close());
  setVisibility("visible");
  vi.useRealTimers();
});

/** Open a tab. What differs from another one is in its storage alone. */
export function openTab(options: ConversationOptions = {}): Conversation & { close: () => void } {
  const conversation = new Conversation({ storage: browser.tab(), isPaced: false, ...withServer(), ...options });
  const close = conversation.attach();
  closers.push(close);
  return Object.assign(conversation, { close });
}

export function withServer(): ConversationOptions {
  return { fetch: (url, init) => server.fetch(url, init), platform: { random: () => 0.5 } };
}

/** Let everything happen that is under way, and some frames pass. */
export async function pass(delayMs = 50): Promise<void> {
  await vi.advanceTimersByTimeAsync(delayMs);
}

/** Ask, and let so much of the answer arrive. */
export async function askAndHear(chat: Conversation, question: string, text: string): Promise<void> {
  chat.send(question);
  await pass();
  server.run.say(text);
  await pass();
}

export function last(conversation: Conversation): AssistantMessage {
  const message = conversation.getSnapshot().messages.at(-1);
  if (message?.role !== "assistant") throw new Error("the last message is no answer");
  return message;
}

export function texts(messages: readonly ChatMessage[]): string[] {
  return messages.map(({ text }) => text);
}

let visibility: DocumentVisibilityState = "visible";

export function setVisibility(next: DocumentVisibilityState): void {
  if (visibility === next) return;
  visibility = next;
  Object.defineProperty(document, "visibilityState", { value: next, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
