// A chat as one writes it with the AI SDK today: `useChat`, and the text as `render` shows it.
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { type ReactNode, useState } from "react";
import { api, Conversation } from "./harness.tsx";

export function Usual({ render }: { render: (text: string) => ReactNode }): ReactNode {
  const [transport] = useState(() => new DefaultChatTransport({ api: api("api/chat") }));
  const { messages, sendMessage, status } = useChat({ transport });
  const answer = messages.find((message) => message.role === "assistant");
  const text = (answer?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
  return (
    <Conversation
      send={() => void sendMessage({ text: "Hello" })}
      answer={text}
      isEnded={status === "ready" && text !== ""}
    >
      {render(text)}
    </Conversation>
  );
}
