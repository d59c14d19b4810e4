/**
 * What the parts of `<Chat>` share, and how they look at the conversation: each is drawn again only
 * when what it selects has changed.
 */
import { createContext, type ReactNode, useContext, useSyncExternalStore } from "react";
import type { Conversation } from "../chat/conversation.ts";
import type { AssistantMessage, ChatMessage } from "../chat/message.ts";
import { type ConversationSnapshot, EMPTY } from "../chat/snapshot.ts";
import type { Words } from "../chat/words.ts";

export interface Parts {
  readonly conversation: Conversation;
  readonly words: Words;
  readonly renderText: ((message: AssistantMessage) => ReactNode) | undefined;
  readonly renderActions: ((message: ChatMessage) => ReactNode) | undefined;
}

export const PartsContext = createContext<Parts | null>(null);

export function useParts(): Parts {
  const parts = useContext(PartsContext);
  if (parts === null) throw new Error("this part belongs inside of <Chat>; put it there");
  return parts;
}

/** Return a part of the snapshot; what `select` returns must be the same while it is equal. */
export function useSelected<Value>(select: (snapshot: ConversationSnapshot) => Value): Value {
  const { conversation } = useParts();
  return useSyncExternalStore(
    conversation.subscribe,
    () => select(conversation.getSnapshot()),
    () => select(EMPTY),
  );
}

const NO_MESSAGES: readonly ChatMessage[] = [];

/** Return the messages as they were when one last came, ended or went. */
export function useOutline(): readonly ChatMessage[] {
  const { conversation } = useParts();
  return useSyncExternalStore(conversation.subscribe, conversation.getOutline, () => NO_MESSAGES);
}

const neverChanges = () => () => {};

/** Return the message as it is now. Only the last one can change, so only that one listens. */
export function useCurrent(message: ChatMessage, isLast: boolean): ChatMessage {
  const { conversation } = useParts();
  const current = (): ChatMessage => {
    const last = isLast ? conversation.getSnapshot().messages.at(-1) : undefined;
    return last?.id === message.id ? last : message;
  };
  return useSyncExternalStore(isLast ? conversation.subscribe : neverChanges, current, () => message);
}
