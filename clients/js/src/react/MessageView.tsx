/**
 * One message: what was asked, or the answer with its signs of life and the word on its end.
 */
import { memo } from "react";
import type { AssistantMessage, ChatMessage, UserMessage } from "../chat/message.ts";
import { noteOf } from "../chat/words.ts";
import { useParts } from "./parts.ts";
import { PlainText } from "./PlainText.tsx";

export const MessageView = memo(function MessageView(props: {
  message: ChatMessage;
  isLast: boolean;
}) {
  const { message, isLast } = props;
  return message.role === "user" ? (
    <Question message={message} />
  ) : (
    <Answer message={message} isLast={isLast} />
  );
});

function Question({ message }: { message: UserMessage }) {
  const { words, renderActions } = useParts();
  return (
    <article className="tt-message" data-role="user" aria-label={words.you}>
      <div className="tt-text" dir="auto">
        {message.text}
      </div>
      {renderActions?.(message)}
    </article>
  );
}

function Answer({ message, isLast }: { message: AssistantMessage; isLast: boolean }) {
  const { words, renderText, renderActions } = useParts();
  const isOpen = message.ending === null;
  return (
    <article
      className="tt-message"
      data-role="assistant"
      data-status={message.status}
      aria-label={words.answer}
      aria-busy={isOpen}
    >
      <Reasoning message={message} />
      {isOpen && message.text === "" ? <Typing message={message} /> : null}
      <div className="tt-text" dir="auto">
        {renderText === undefined ? <PlainText text={message.text} /> : renderText(message)}
      </div>
      {isOpen ? null : <Note message={message} isLast={isLast} />}
      {isOpen ? null : renderActions?.(message)}
    </article>
  );
}

/** Three dots that breathe; that they move is the stylesheet's. */
function Typing({ message }: { message: AssistantMessage }) {
  const { words } = useParts();
  return (
    <p className="tt-typing">
      <span aria-hidden="true" />
      <span aria-hidden="true" />
      <span aria-hidden="true" />
      {message.run.reasoning === "" ? null : words.thinking}
    </p>
  );
}

function Reasoning({ message }: { message: AssistantMessage }) {
  const { words } = useParts();
  if (message.run.reasoning === "") return null;
  return (
    <details className="tt-reasoning">
      <summary>{words.reasoning}</summary>
      <PlainText text={message.run.reasoning} />
    </details>
  );
}

/** Why the answer ended, where that is not plain, and the button that helps. */
function Note({ message, isLast }: { message: AssistantMessage; isLast: boolean }) {
  const { conversation, words } = useParts();
  if (message.ending === null) return null;
  const note = noteOf(message.ending, words);
  const remedy = isLast ? message.ending.remedy : null;
  if (note === "" && remedy === null) return null;
  return (
    <p className="tt-note">
      {note === "" ? null : <span>{note}</span>}
      {remedy === null ? null : (
        <button
          type="button"
          className="tt-button"
          onClick={({ currentTarget }) => {
            // The button goes away, and the focus must not go with it.
            currentTarget.closest<HTMLElement>("[role=log]")?.focus({ preventScroll: true });
            conversation.retry();
          }}
        >
          {words.remedies[remedy]}
        </button>
      )}
    </p>
  );
}
