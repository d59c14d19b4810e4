/**
 * A conversation as a hook, for an interface of one's own.
 *
 * Draws the component once per frame at most, however much arrives. Messages that have not changed
 * are the same objects: draw each in a `memo` component, and a long conversation costs no more than
 * a short one.
 */
import { useMemo, useSyncExternalStore } from "react";
import type { Conversation } from "../chat/conversation.ts";
import type { ConversationOptions } from "../chat/options.ts";
import { type ConversationSnapshot, EMPTY } from "../chat/snapshot.ts";
import { useConversation } from "./useConversation.ts";

export interface Chat extends ConversationSnapshot {
  /** Ask. False, and nothing happens, when there is no text or an answer is still open. */
  send(text: string): boolean;
  /** Stop the answer, on the server. It ends when the server says so; its text stays. */
  stop(): void;
  /** Ask the last question again, in place of its answer. */
  regenerate(): boolean;
  /** Do what `error.remedy` says: ask again, reconnect, or load again. */
  retry(): boolean;
  /** Forget the conversation, and cancel an answer in flight. */
  clear(): void;
  /** The store below, to hand on to other components. */
  readonly conversation: Conversation;
}

/** Take a conversation, or what makes one: `useChat({ api: "/chat/stream" })`. */
export function useChat(given: Conversation | ConversationOptions = {}): Chat {
  const conversation = useConversation(given);
  const snapshot = useSnapshot(conversation);
  const calls = useMemo(() => callsOf(conversation), [conversation]);
  return { ...snapshot, ...calls };
}

export function useSnapshot(conversation: Conversation): ConversationSnapshot {
  return useSyncExternalStore(conversation.subscribe, conversation.getSnapshot, () => EMPTY);
}

function callsOf(conversation: Conversation) {
  return {
    send: (text: string) => conversation.send(text),
    stop: () => conversation.stop(),
    regenerate: () => conversation.regenerate(),
    retry: () => conversation.retry(),
    clear: () => conversation.clear(),
    conversation,
  };
}
