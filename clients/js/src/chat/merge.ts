/**
 * What a tab shows after another one has written: pure.
 *
 * What has not changed keeps its identity. The answer that this tab reads itself is better known
 * here, unless the other one has seen its true end.
 */
import type { AssistantMessage, ChatMessage } from "./message.ts";

export function merge(
  mine: readonly ChatMessage[],
  stored: readonly ChatMessage[],
  liveId: string | null,
): readonly ChatMessage[] {
  const known = new Map(mine.map((message) => [message.id, message]));
  return stored.map((message) => {
    const before = known.get(message.id);
    if (before === undefined) return message;
    if (before.role === "user" || message.role === "user") return before;
    if (before.id === liveId) return message.run.outcome === null ? before : message;
    return isSameAnswer(before, message) ? before : message;
  });
}

function isSameAnswer(one: AssistantMessage, other: AssistantMessage): boolean {
  return one.ending?.code === other.ending?.code && one.run.cursor === other.run.cursor;
}
