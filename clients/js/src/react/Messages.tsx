/**
 * The conversation as a list.
 *
 * While an answer flows, only its own message is drawn. React looks at all siblings of what has
 * changed, so messages are drawn in groups: the last of 500 has 23 siblings at most.
 */
import { memo, useMemo } from "react";
import type { ChatMessage } from "../chat/message.ts";
import { MessageView } from "./MessageView.tsx";
import { useCurrent, useOutline } from "./parts.ts";

const GROUP_SIZE = 24;

export function Messages() {
  const messages = useOutline();
  const groups = useMemo(() => inGroups(messages), [messages]);
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

function inGroups(messages: readonly ChatMessage[]): ChatMessage[][] {
  const groups: ChatMessage[][] = [];
  for (let begin = 0; begin < messages.length; begin += GROUP_SIZE)
    groups.push(messages.slice(begin, begin + GROUP_SIZE));
  return groups;
}
