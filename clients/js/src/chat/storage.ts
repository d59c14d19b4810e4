/**
 * Where conversations are kept: small named texts.
 *
 * localStorage by default, since an answer must be found again after its tab was closed, and
 * sessionStorage dies with the tab. The price: a conversation stays on this device until it is
 * cleared. Bring your own to keep it elsewhere.
 */

export interface ChatStorage {
  /** Return the text under this name, or null. What comes as a promise delays the first message. */
  read(name: string): string | null | Promise<string | null>;
  /**
   * Keep a text; null removes it. Called at most once a second while an answer flows. Must have
   * begun to write when it returns: the page may be gone right after. An error, thrown or as a
   * rejection, is told to the reader and loses nothing else.
   */
  write(name: string, text: string | null): void | Promise<void>;
  /** Call `changed` when another tab has written this name. Return what ends that. */
  watch?(name: string, changed: () => void): () => void;
}

/** Return this browser's localStorage. Where there is none (on a server), nothing is kept. */
export function browserStorage(): ChatStorage {
  return {
    read: (name) => (typeof localStorage === "undefined" ? null : localStorage.getItem(name)),
    write(name, text) {
      if (typeof localStorage === "undefined") return;
      if (text === null) localStorage.removeItem(name);
      else localStorage.setItem(name, text);
    },
    watch(name, changed) {
      if (typeof window === "undefined") return () => {};
      // The key is null when another tab has cleared everything.
      const listener = ({ key }: StorageEvent) => (key === name || key === null) && changed();
      addEventListener("storage", listener);
      return () => removeEventListener("storage", listener);
    },
  };
}

/** Return a storage that lasts as long as this object: nothing is kept after a reload. */
export function memoryStorage(): ChatStorage {
  const texts = new Map<string, string>();
  return {
    read: (name) => texts.get(name) ?? null,
    write(name, text) {
      if (text === null) texts.delete(name);
      else texts.set(name, text);
    },
  };
}
