// What every page of the benchmark shares: the same markup, a button, and word of the end.
//
// Whoever measures presses "Send", waits for "ended" on the console, and reads `answerText`.
import { type ReactNode, StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";

declare global {
  interface Window {
    answerText: string;
  }
}

/** The address of a stream: the page's own query says the pace. */
export function api(path: "chat/stream" | "api/chat"): string {
  return `/${new URLSearchParams(location.search).get("pace") ?? "100-1-5-0"}/${path}`;
}

/** As in every chat, the end of the answer is what one sees. Here no script scrolls. */
const PINNED_TO_ITS_END = {
  height: "90vh",
  overflow: "auto",
  display: "flex",
  flexDirection: "column-reverse",
} as const;

/** What a page shows: one question, one answer. */
export function Conversation(props: {
  send: () => void;
  answer: string;
  isEnded: boolean;
  children: ReactNode;
}): ReactNode {
  const { send, answer, isEnded, children } = props;
  useEffect(() => {
    if (!isEnded) return;
    window.answerText = answer;
    console.log("ended");
  }, [isEnded, answer]);
  return (
    <main style={PINNED_TO_ITS_END}>
      <article>{children}</article>
      <button type="button" onClick={send}>
        Send
      </button>
    </main>
  );
}

/** Show the page, as an application's production build does. */
export function show(page: ReactNode): void {
  const root = document.getElementById("root");
  if (root === null) throw new Error("the page has no #root");
  createRoot(root).render(<StrictMode>{page}</StrictMode>);
}
