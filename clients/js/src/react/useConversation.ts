/**
 * A conversation for as long as a component is there.
 *
 * Making one does nothing to the world; the effect begins, and its end lets go without stopping
 * anything on the server. So StrictMode's second effect asks nothing twice.
 */
import { useEffect, useState } from "react";
import { Conversation } from "../chat/conversation.ts";
import type { ConversationOptions } from "../chat/options.ts";

/**
 * Return the conversation with this id, the same one while the id stays the same; or attach to the
 * one given. The component is not drawn again when it changes: `useChat` does that.
 */
export function useConversation(given: Conversation | ConversationOptions = {}): Conversation {
  const isGiven = given instanceof Conversation;
  const id = given.id ?? "default";
  const [own, setOwn] = useState(() => (isGiven ? given : new Conversation(given)));
  let conversation = isGiven ? given : own;
  if (!isGiven && own.id !== id) {
    // Set while drawing, so that the old conversation is never drawn under the new id.
    conversation = new Conversation(given);
    setOwn(conversation);
  }
  useEffect(() => {
    if (!(given instanceof Conversation)) conversation.setOptions(given);
  });
  useEffect(() => conversation.attach(), [conversation]);
  return conversation;
}
