/**
 * The conversation as a list.
 *
 * While an answer flows, only its own message is drawn. React looks at all siblings of what has
 * changed, so messages are drawn in groups: the last of 500 has 23 siblings at most.
 */
import { memo, useMemo, useRef } from "react";
import { type Groups, inGroups } from "../chat/groups.ts";
import type { ChatMessage } from "../chat/message.ts";
import { MessageView } from "./MessageView.tsx";
import { useCurrent, useOutline } from "./parts.ts";

const GROUP_SIZE = 24;

export function Messages() {
  const messages = useOutline();
  const before = useRef<Groups<ChatMessage>>([]);
  const groups = useMemo(
    () => (before.current = inGroups(messages, GROUP_SIZE, before.current)),
    [messages],
  );
  return groups.map((group, index) => (
    // Messages come and go at the end only: a group keeps its place.
    <Group key={index} messages={group} isLast={index === groups.length - 1} />
  ));
}

const Group = memo(function Group(props: { messages: readonly ChatMessage[]; isLast: boolean }) {
  const { messages, isLast } = props;
  return messages.map((message, index) => (
    <Item key={message.id} message={message} isLast={isLast && index === messages.length - 1} />
  ));
});

const Item = memo(function Item({ message, isLast }: { message: ChatMessage; isLast: boolean }) {
  return <MessageView message={useCurrent(message, isLast)} isLast={isLast} />;
});
