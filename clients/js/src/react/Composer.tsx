/**
 * Where one writes, sends and stops.
 *
 * One button for both, so that the keyboard's focus stays where it is.
 */
import { type FormEvent, type KeyboardEvent, type MouseEvent, useId, useRef, useState } from "react";
import { useParts, useSelected } from "./parts.ts";

export function Composer({ autoFocus, onSend }: { autoFocus: boolean; onSend: () => void }) {
  const { conversation, words } = useParts();
  const status = useSelected((snapshot) => snapshot.status);
  const [draft, setDraft] = useState("");
  const textarea = useRef<HTMLTextAreaElement>(null);
  const hintId = useId();
  const isRunning = status === "waiting" || status === "streaming" || status === "stopping";

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!conversation.send(draft.trim())) return;
    setDraft("");
    onSend();
  };
  const noteKey = (event: KeyboardEvent) => {
    // While composing (Chinese, Japanese …) Enter chooses a word. Safari ends the composition
    // before it tells of the key, and marks that one with 229.
    const isComposing = event.nativeEvent.isComposing || event.keyCode === 229;
    if (event.key === "Enter" && !event.shiftKey && !isComposing) submit(event);
  };
  const noteClick = (event: MouseEvent) => {
    if (!isRunning) return;
    event.preventDefault();
    // The second click of a double click on Send is no Stop.
    if (event.detail < 2) conversation.stop();
  };
  const isIdleButton = isRunning ? status === "stopping" : draft.trim() === "" || status !== "ready";

  return (
    <form className="tt-composer" onSubmit={submit}>
      {/* The twin in the grid's same cell gives the height: no measuring, no script. */}
      <div className="tt-field" data-draft={draft}>
        <textarea
          ref={textarea}
          rows={1}
          dir="auto"
          value={draft}
          aria-label={words.message}
          aria-describedby={hintId}
          placeholder={words.placeholder}
          enterKeyHint="send"
          autoFocus={autoFocus}
          onChange={(event) => setDraft(event.target.value)}
          onKeyDown={noteKey}
        />
      </div>
      <button
        type="submit"
        className="tt-send"
        data-mode={isRunning ? "stop" : "send"}
        aria-label={!isRunning ? words.send : status === "stopping" ? words.stopping : words.stop}
        // Not `disabled`, which would take the keyboard's focus away.
        aria-disabled={isIdleButton}
        onClick={noteClick}
      >
        <svg viewBox="0 0 16 16" aria-hidden="true">
          {isRunning ? (
            <rect x="4" y="4" width="8" height="8" rx="1.5" />
          ) : (
            <path d="M8 13V3M3.5 7.5 8 3l4.5 4.5" />
          )}
        </svg>
      </button>
      <p id={hintId} className="tt-unseen">
        {words.hint}
      </p>
    </form>
  );
}
