/**
 * The text of an answer as the chat shows it: markdown.
 *
 * The markdown parser is loaded beside the page, not before it; until it is there the text is plain.
 * Answers that are there already, hundreds maybe, become markdown one after the other, and the last
 * ones before they are painted.
 */
import { useLayoutEffect, useState } from "react";
import { flushSync } from "react-dom";
import { Turns } from "./turns.ts";

let loaded: typeof import("./Markdown.tsx") | null = null;

async function load(): Promise<void> {
  loaded = await import("./Markdown.tsx");
}

/** Load the parser now, so that the first answer needs not wait for it. */
export const preloadMarkdown = () => void load().catch(() => undefined);

const turns = new Turns();

export function AnswerText({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  const isItsTurn = useTurn();
  if (loaded === null || !isItsTurn) return <p className="page-plain">{text}</p>;
  return <loaded.Markdown text={text} isStreaming={isStreaming} />;
}

/** Return whether it is this answer's turn to be drawn; from then on it is. */
function useTurn(): boolean {
  const [isCome, setIsCome] = useState(false);
  useLayoutEffect(() => {
    if (isCome) return;
    let leave = (): void => {};
    let isGone = false;
    // Drawn within its turn, so that it is known how long that took.
    const wait = () => {
      if (!isGone) leave = turns.take(() => flushSync(() => setIsCome(true)));
    };
    if (loaded !== null) wait();
    // Offline: what is there can be read without markdown.
    else load().then(wait, () => undefined);
    return () => {
      isGone = true;
      leave();
    };
  }, [isCome]);
  return isCome;
}
