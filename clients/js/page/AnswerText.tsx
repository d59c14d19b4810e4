/**
 * The text of a message as the chat shows it: a question as it was typed, an answer as markdown.
 *
 * The markdown parser is loaded beside the page, not before it; until it is there the text is plain.
 */
import { lazy, Suspense } from "react";

const loadMarkdown = () => import("./Markdown.tsx");
const Markdown = lazy(() => loadMarkdown().then(({ Markdown }) => ({ default: Markdown })));

/** Load the parser now, so that the first answer needs not wait for it. */
export const preloadMarkdown = () => void loadMarkdown().catch(() => undefined);

export function AnswerText({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  return (
    <Suspense fallback={<p className="page-plain">{text}</p>}>
      <Markdown text={text} isStreaming={isStreaming} />
    </Suspense>
  );
}
