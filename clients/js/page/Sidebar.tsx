/**
 * The list of conversations: open, rename, delete and bring back, find.
 */
import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { addressOf } from "./address.ts";
import { bringBack, find, remove, rename, type Conversation } from "./conversations.ts";
import { Icon } from "./Icon.tsx";
import type { ConversationStore } from "./conversation_store.ts";

/** Fewer are found at a glance. */
const SEARCHED_FROM = 6;

interface Props {
  store: ConversationStore;
  list: readonly Conversation[];
  openId: string;
  onOpen: (id: string) => void;
  onNew: () => void;
  /** The open conversation was deleted. */
  onDeletedOpen: () => void;
}

export function Sidebar({ store, list, openId, onOpen, onNew, onDeletedOpen }: Props) {
  const [words, setWords] = useState("");
  const [deleted, setDeleted] = useState<Conversation | null>(null);
  const undoButton = useRef<HTMLButtonElement>(null);
  // The entry is gone, and the keyboard's focus with it: it goes where one may want it next.
  useEffect(() => undoButton.current?.focus(), [deleted]);
  // Another tab that was opened meanwhile has let it go for good.
  const isThere = list.some(({ id, isDeleted }) => id === deleted?.id && isDeleted);
  const all = find(list, "");
  const found = find(list, words);

  const erase = (conversation: Conversation) => {
    store.change((list) => remove(list, conversation.id));
    setDeleted(conversation);
    if (conversation.id === openId) onDeletedOpen();
  };
  const undo = (conversation: Conversation) => {
    store.change((list) => bringBack(list, conversation.id));
    setDeleted(null);
    onOpen(conversation.id);
  };

  return (
    <nav className="page-sidebar" id="conversations" aria-label="Conversations">
      <div className="page-brand">
        <img src="/icon.svg" alt="" />
        Tickertape
      </div>
      <button type="button" className="page-new" onClick={onNew}>
        New conversation
      </button>
      {all.length >= SEARCHED_FROM && (
        <input
          type="search"
          className="page-search"
          aria-label="Search conversations"
          placeholder="Search"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
      )}
      <ul>
        {found.map((conversation) => (
          <Entry
            key={conversation.id}
            conversation={conversation}
            isOpen={conversation.id === openId}
            onOpen={() => onOpen(conversation.id)}
            onRename={(title) => store.change((list) => rename(list, conversation.id, title))}
            onDelete={() => erase(conversation)}
          />
        ))}
      </ul>
      {all.length === 0 && <p className="page-hint">Conversations are kept in this browser only.</p>}
      {all.length > 0 && found.length === 0 && <p className="page-hint">None has these words in its title.</p>}
      <div role="status" className="page-undo">
        {deleted !== null && isThere && (
          <>
            <span>Deleted “{deleted.title}”.</span>
            <button type="button" ref={undoButton} className="page-quiet" onClick={() => undo(deleted)}>
              Undo
            </button>
          </>
        )}
      </div>
    </nav>
  );
}

interface EntryProps {
  conversation: Conversation;
  isOpen: boolean;
  onOpen: () => void;
  onRename: (title: string) => void;
  onDelete: () => void;
}

function Entry({ conversation, isOpen, onOpen, onRename, onDelete }: EntryProps) {
  const [isRenaming, setIsRenaming] = useState(false);
  const link = useRef<HTMLAnchorElement>(null);
  const wasRenamed = useRef(false);
  useEffect(() => {
    if (!isRenaming && wasRenamed.current) link.current?.focus();
    wasRenamed.current = isRenaming;
  }, [isRenaming]);
  const { id, title } = conversation;
  if (isRenaming) {
    const endRenaming = (words: string | null) => {
      setIsRenaming(false);
      if (words !== null) onRename(words);
    };
    return (
      <li>
        <TitleField title={title} onDone={endRenaming} />
      </li>
    );
  }
  return (
    <li data-open={isOpen || undefined}>
      <a
        ref={link}
        href={addressOf(id)}
        aria-current={isOpen ? "page" : undefined}
        dir="auto"
        onClick={(event) => {
          // A new tab, where that is what was asked for.
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          onOpen();
        }}
      >
        {title}
      </a>
      <span className="page-entry-tools">
        <button type="button" className="page-quiet" aria-label={`Rename ${title}`} onClick={() => setIsRenaming(true)}>
          <Icon path="M4 20l4-1L19 8l-3-3L5 16zM14 7l3 3" />
        </button>
        <button type="button" className="page-quiet" aria-label={`Delete ${title}`} onClick={onDelete}>
          <Icon path="M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12" />
        </button>
      </span>
    </li>
  );
}

function TitleField({ title, onDone }: { title: string; onDone: (words: string | null) => void }) {
  const [words, setWords] = useState(title);
  // Both a key and the blur that it leads to end the field; the first one counts.
  const isDone = useRef(false);
  const end = (words: string | null) => {
    if (isDone.current) return;
    isDone.current = true;
    onDone(words);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") end(words);
    else if (event.key === "Escape") end(null);
    else return;
    event.stopPropagation();
  };
  return (
    <input
      className="page-title-field"
      aria-label="Title"
      dir="auto"
      autoFocus
      value={words}
      onFocus={(event) => event.target.select()}
      onChange={(event) => setWords(event.target.value)}
      onKeyDown={onKeyDown}
      onBlur={() => end(words)}
    />
  );
}
