/**
 * What a screen reader hears: whole sentences as they are complete, and the end.
 *
 * The list itself is silent, since read out word by word it would be noise. What was said stays for
 * a while, for only additions are read; then it goes, so that nothing grows.
 */
import { useEffect, useRef, useState } from "react";
import type { ChatMessage } from "../chat/message.ts";
import { Sentences } from "../chat/sentences.ts";
import { noteOf, type Words } from "../chat/words.ts";
import { useParts, useSelected } from "./parts.ts";

const MAX_KEPT = 12;

interface Said {
  readonly number: number;
  readonly text: string;
}

export function Announcer() {
  const { words } = useParts();
  const last = useSelected((snapshot) => snapshot.messages.at(-1));
  const [said, setSaid] = useState<readonly Said[]>([]);
  const listened = useRef<Listened | null>(null);
  useEffect(() => {
    const { next, texts } = listen(listened.current, last, words);
    listened.current = next;
    if (texts.length === 0) return;
    setSaid((before) => {
      const number = (before.at(-1)?.number ?? 0) + 1;
      const added = texts.map((text, index) => ({ number: number + index, text }));
      return [...before, ...added].slice(-MAX_KEPT);
    });
  }, [last, words]);
  return (
    <div className="tt-live tt-unseen" aria-live="polite" aria-relevant="additions">
      {said.map(({ number, text }) => (
        <p key={number}>{text}</p>
      ))}
    </div>
  );
}

interface Listened {
  readonly id: string;
  readonly sentences: Sentences;
  readonly isEnded: boolean;
}

/** Return what is to be said of the last message, given what of it has been. */
function listen(before: Listened | null, last: ChatMessage | undefined, words: Words) {
  if (last?.role !== "assistant") return { next: null, texts: [] };
  const isEnded = last.ending !== null;
  if (before?.id !== last.id) {
    const next = { id: last.id, sentences: new Sentences(words.code), isEnded };
    // What was there when the page was opened is no news.
    const isNews = next.sentences.take(last.text, isEnded) === "" && !isEnded;
    return { next, texts: isNews ? [words.waiting] : [] };
  }
  if (before.isEnded && isEnded) return { next: before, texts: [] };
  const texts = [
    before.sentences.take(last.text, isEnded),
    last.ending === null ? "" : noteOf(last.ending, words) || words.complete,
  ];
  return { next: { ...before, isEnded }, texts: texts.filter((text) => text !== "") };
}
