/**
 * A chat that is ready to use: `<Chat api="/chat/stream" />`, and the stylesheet `tickertape/chat.css`.
 *
 * Fills its container. Every word, the look of a text, and what is around it can be replaced; for
 * another arrangement, `useChat` has all that this has.
 */
import { type KeyboardEvent, type ReactNode, useMemo, useRef } from "react";
import type { Conversation } from "../chat/conversation.ts";
import type { ConversationOptions } from "../chat/options.ts";
import type { AssistantMessage, ChatMessage } from "../chat/message.ts";
import { allWords, type SomeWords } from "../chat/words.ts";
import { Announcer } from "./Announcer.tsx";
import { Composer } from "./Composer.tsx";
import { Messages } from "./Messages.tsx";
import { Notices } from "./Notices.tsx";
import { type Parts, PartsContext, useOutline, useParts } from "./parts.ts";
import { useAutoscroll } from "./useAutoscroll.ts";
import { useConversation } from "./useConversation.ts";

export interface ChatProps extends Omit<ConversationOptions, "words"> {
  /** A conversation that is held elsewhere, in place of the options that make one. */
  conversation?: Conversation | undefined;
  /** How the text of an answer looks; plain text by default. Keep the function the same between renders. */
  renderText?: ((message: AssistantMessage) => ReactNode) | undefined;
  /** What stands under a message, once it is complete: a button to copy it, say. Keep it the same, too. */
  renderActions?: ((message: ChatMessage) => ReactNode) | undefined;
  header?: ReactNode;
  /** What is there before the first message. */
  empty?: ReactNode;
  /** What stands under the composer. */
  footer?: ReactNode;
  /** Some or all of the words, in another language. Keep the object the same between renders. */
  words?: SomeWords | undefined;
  /** Default: as the system has it. */
  theme?: "light" | "dark" | undefined;
  className?: string | undefined;
  autoFocus?: boolean | undefined;
}

export function Chat(props: ChatProps) {
  const { conversation: given, renderText, renderActions, words: changed, ...rest } = props;
  const { header, empty, footer, theme, className, autoFocus = false, ...options } = rest;
  const words = useMemo(() => allWords(changed), [changed]);
  const conversation = useConversation(given ?? { ...options, words });
  const parts = useMemo<Parts>(
    () => ({ conversation, words, renderText, renderActions }),
    [conversation, words, renderText, renderActions],
  );
  return (
    <PartsContext.Provider value={parts}>
      <section
        className={className === undefined ? "tt-chat" : `tt-chat ${className}`}
        data-theme={theme}
        aria-label={words.chat}
        onKeyDown={(event) => stopOnEscape(event, conversation)}
      >
        {header}
        {/* Another conversation begins at its end, and with an empty draft. */}
        <Room key={conversation.id} empty={empty} autoFocus={autoFocus} />
        {footer}
      </section>
    </PartsContext.Provider>
  );
}

function Room({ empty, autoFocus }: { empty: ReactNode; autoFocus: boolean }) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const { words } = useParts();
  const isEmpty = useOutline().length === 0;
  const { isFollowing, follow } = useAutoscroll(scroller, content);
  return (
    <>
      <div className="tt-strip">
        {/* Silent: read out word by word it would be noise. The announcer says each sentence once. */}
        <div
          ref={scroller}
          className="tt-messages"
          role="log"
          aria-live="off"
          aria-label={words.conversation}
          // What scrolls must be reachable by keyboard.
          tabIndex={0}
        >
          <div ref={content} className="tt-column">
            <Messages />
            {isEmpty ? (empty ?? <p className="tt-welcome">{words.welcome}</p>) : null}
          </div>
        </div>
        {isFollowing ? null : (
          <button
            type="button"
            className="tt-button tt-latest"
            onClick={() => {
              follow();
              scroller.current?.focus({ preventScroll: true });
            }}
          >
            {words.latest}
          </button>
        )}
      </div>
      <div className="tt-foot">
        <Notices />
        <Composer autoFocus={autoFocus} onSend={follow} />
      </div>
      <Announcer />
    </>
  );
}

function stopOnEscape(event: KeyboardEvent, conversation: Conversation): void {
  // While composing, Escape takes the composition back.
  if (event.key !== "Escape" || event.defaultPrevented || event.nativeEvent.isComposing) return;
  if (conversation.getSnapshot().status === "ready") return;
  event.preventDefault();
  conversation.stop();
}
