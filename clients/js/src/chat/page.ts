/**
 * What the page around a conversation says: whether anybody sees it, and what its reader prefers.
 *
 * In Node there is no page: it counts as seen, and says nothing.
 */

export function isHidden(): boolean {
  return typeof document !== "undefined" && document.visibilityState === "hidden";
}

export interface PageListeners {
  /** It was hidden, or is going away: what is to last must be kept now. */
  left: () => void;
  /** It is seen again. */
  seen: () => void;
  /** After either of them. */
  changed: () => void;
}

/** Listen until the function returned is called. */
export function listenToPage({ left, seen, changed }: PageListeners): () => void {
  if (typeof document === "undefined") return () => {};
  const listening = new AbortController();
  const { signal } = listening;
  const note = (): void => {
    if (isHidden()) left();
    else seen();
    changed();
  };
  document.addEventListener("visibilitychange", note, { signal });
  addEventListener("pagehide", left, { signal });
  return () => listening.abort();
}

/** Asked for once: to ask anew in each frame costs more than all the rest of it. */
export function watchLessMotion(): { readonly matches: boolean } {
  if (typeof matchMedia !== "function") return { matches: false };
  return matchMedia("(prefers-reduced-motion: reduce)");
}
