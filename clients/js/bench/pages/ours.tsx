// A chat as one writes it with ours: `useChat`, and the text as `render` shows it.
import type { ReactNode } from "react";
import { useChat } from "../../src/react/index.ts";
import { api, Conversation } from "./harness.tsx";

export function Ours(props: { render: (text: string, isOpen: boolean) => ReactNode }): ReactNode {
  const { messages, send, status } = useChat({ api: api("chat/stream") });
  const answer = messages.find((message) => message.role === "assistant");
  const text = answer?.text ?? "";
  return (
    <Conversation send={() => send("Hello")} answer={text} isEnded={status === "ready" && text !== ""}>
      {props.render(text, status !== "ready")}
    </Conversation>
  );
}
