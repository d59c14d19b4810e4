/**
 * Keeps the list of conversations in this browser, and the tabs of it in step.
 */
import { parseConversations, type Conversations } from "./conversations.ts";

const KEY = "tickertape.conversations";

export interface ConversationStore {
  subscribe(listener: () => void): () => void;
  getSnapshot(): Conversations;
  /** Change the list, from what is stored now: another tab may have changed it, too. */
  change(to: (list: Conversations) => Conversations): void;
}

/** `onPurge` gets the id of each that was deleted for good: when the page was next opened. */
export function createConversationStore(
  storage: Storage | null,
  onPurge: (id: string) => void = () => undefined,
): ConversationStore {
  const listeners = new Set<() => void>();
  let isKept = storage !== null;
  const read = () => parseConversations(storage?.getItem(KEY) ?? null);
  const write = (list: Conversations) => {
    try {
      storage?.setItem(KEY, JSON.stringify(list));
    } catch {
      // Full. The list holds for this visit; the chat itself says that there is no room.
      isKept = false;
    }
  };
  let list = read();
  const gone = list.filter((each) => each.isDeleted);
  if (gone.length > 0) {
    list = list.filter((each) => !each.isDeleted);
    write(list);
    for (const { id } of gone) onPurge(id);
  }
  const tell = () => {
    for (const listener of listeners) listener();
  };
  const hear = (event: StorageEvent) => {
    if (event.key !== null && event.key !== KEY) return;
    list = read();
    tell();
  };
  return {
    subscribe(listener) {
      if (listeners.size === 0) window.addEventListener("storage", hear);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) window.removeEventListener("storage", hear);
      };
    },
    getSnapshot: () => list,
    change(to) {
      list = to(isKept ? read() : list);
      write(list);
      tell();
    },
  };
}

/** This browser's storage, or null where it is denied. */
export function browserStorage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
