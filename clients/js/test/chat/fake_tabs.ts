/** One browser's storage, as several tabs have it. */
import type { ChatStorage } from "../../src/chat/storage.ts";

export class FakeBrowser {
  readonly texts = new Map<string, string>();
  readonly writes: string[] = [];
  isFull = false;
  readonly #watchers = new Set<{ tab: ChatStorage; name: string; changed: () => void }>();

  tab(): ChatStorage {
    const tab: ChatStorage = {
      read: (name) => this.texts.get(name) ?? null,
      write: (name, text) => {
        if (this.isFull && text !== null) throw new Error("QuotaExceededError");
        this.writes.push(name);
        if (this.texts.get(name) === (text ?? undefined)) return;
        if (text === null) this.texts.delete(name);
        else this.texts.set(name, text);
        this.#tell(tab, name);
      },
      watch: (name, changed) => {
        const watcher = { tab, name, changed };
        this.#watchers.add(watcher);
        return () => this.#watchers.delete(watcher);
      },
    };
    return tab;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** The other tabs hear of it, and later. */
  #tell(writer: ChatStorage, written: string): void {
    for (const { tab, name, changed } of this.#watchers)
      if (tab !== writer && name === written) setTimeout(changed, 1);
  }
}
