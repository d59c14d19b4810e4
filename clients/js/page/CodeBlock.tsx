/**
 * One block of code: its language, a button that copies it, and colours once it is complete.
 *
 * Coloured only when complete: while it grows, each frame would colour all of it anew.
 */
import { memo, useEffect, useRef, useState } from "react";
import type { Span } from "./highlight.ts";

/** More than anybody reads for its colours; colouring it would hold up the page. */
const MAX_COLOURED_CHARACTERS = 30_000;
const COPIED_SHOWN_MS = 2_000;

interface Props {
  code: string;
  /** As the model wrote it after the fence; empty where it wrote none. */
  language: string;
  isComplete: boolean;
}

export const CodeBlock = memo(function CodeBlock({ code, language, isComplete }: Props) {
  const spans = useSpans(code, language, isComplete);
  return (
    <figure className="page-code" dir="ltr">
      <figcaption>
        <span className="page-code-language">{language || "text"}</span>
        <CopyButton text={code} />
      </figcaption>
      {/* Focusable, so that it can be scrolled without a mouse. */}
      <pre tabIndex={0} aria-label={language ? `Code in ${language}` : "Code"}>
        <code>
          {spans === null
            ? inGroups(code).map((lines, index) => <Lines key={index} text={lines} />)
            : spans.map((span, index) =>
                span.className === null ? (
                  span.text
                ) : (
                  <span key={index} className={span.className}>
                    {span.text}
                  </span>
                ),
              )}
        </code>
      </pre>
    </figure>
  );
});

const LINES_IN_GROUP = 64;

/** Only the last group grows, so that the browser lays out no more than that. */
const Lines = memo(function Lines({ text }: { text: string }) {
  return <span className="page-lines">{text}</span>;
});

function inGroups(code: string): string[] {
  const groups: string[] = [];
  let begin = 0;
  let lines = 0;
  for (let end = code.indexOf("\n"); end !== -1; end = code.indexOf("\n", end + 1)) {
    lines += 1;
    if (lines % LINES_IN_GROUP !== 0) continue;
    groups.push(code.slice(begin, end + 1));
    begin = end + 1;
  }
  groups.push(code.slice(begin));
  return groups;
}

function useSpans(code: string, language: string, isComplete: boolean): Span[] | null {
  const [coloured, setColoured] = useState<{ code: string; spans: Span[] | null } | null>(null);
  const isWanted = isComplete && language !== "" && code.length <= MAX_COLOURED_CHARACTERS;
  useEffect(() => {
    if (!isWanted) return;
    let isCurrent = true;
    import("./highlight.ts").then(
      ({ highlight }) => {
        if (isCurrent) setColoured({ code, spans: highlight(code, language.toLowerCase()) });
      },
      // Offline, or the server was updated: the code is as good without its colours.
      () => undefined,
    );
    return () => {
      isCurrent = false;
    };
  }, [code, language, isWanted]);
  return coloured !== null && coloured.code === code ? coloured.spans : null;
}

function CopyButton({ text }: { text: string }) {
  const [said, setSaid] = useState<"Copied" | "Not copied" | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  const say = (word: "Copied" | "Not copied") => {
    setSaid(word);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(null), COPIED_SHOWN_MS);
  };
  const copy = () => {
    // Without HTTPS there is no clipboard here; the reader is told, and can still select.
    const clipboard: Clipboard | undefined = navigator.clipboard;
    if (clipboard === undefined) say("Not copied");
    else
      clipboard.writeText(text).then(
        () => say("Copied"),
        () => say("Not copied"),
      );
  };
  return (
    <button type="button" className="page-copy" onClick={copy} aria-label={said ?? "Copy code"}>
      <span aria-live="polite">{said ?? "Copy"}</span>
    </button>
  );
}
