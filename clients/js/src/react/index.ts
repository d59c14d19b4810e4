/** The entry `tickertape/react`: a chat for React 18 and 19, ready to use or as a hook. */
export { Conversation } from "../chat/conversation.ts";
export type { EndedStatus, Ending, Remedy } from "../chat/ending.ts";
export type { AnswerStatus, AssistantMessage, ChatMessage, UserMessage } from "../chat/message.ts";
export type { ConversationOptions } from "../chat/options.ts";
export type { ChatError, ChatStatus, ConversationSnapshot } from "../chat/snapshot.ts";
export { browserStorage, type ChatStorage, memoryStorage } from "../chat/storage.ts";
export { connectionNotice, ENGLISH, noteOf, type SomeWords, type Words } from "../chat/words.ts";
export { Chat, type ChatProps } from "./Chat.tsx";
export { PlainText } from "./PlainText.tsx";
export { type Chat as ChatHandle, useChat, useSnapshot } from "./useChat.ts";
export { useConversation } from "./useConversation.ts";
