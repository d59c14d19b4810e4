/**
 * The end of the conversation stays in view, until the reader goes up to read.
 *
 * Going up lets go; coming back to the end, or asking, holds on again.
 */
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";

// Browsers round what they scroll by.
const NEAR_END_PX = 2;

export interface Autoscroll {
  readonly isFollowing: boolean;
  follow(): void;
}

/** `content` is what grows inside of `scroller`. */
export function useAutoscroll(
  scroller: RefObject<HTMLElement | null>,
  content: RefObject<HTMLElement | null>,
): Autoscroll {
  const [isFollowing, setFollowing] = useState(true);
  const following = useRef(true);

  const set = useCallback((next: boolean) => {
    following.current = next;
    setFollowing(next);
  }, []);

  useEffect(() => {
    const [outer, inner] = [scroller.current, content.current];
    if (outer === null || inner === null) return;
    let topBefore = outer.scrollTop;
    const toEnd = () => {
      if (following.current) outer.scrollTop = outer.scrollHeight;
    };
    const note = () => {
      const { scrollTop, scrollHeight, clientHeight } = outer;
      // Content that shrinks lowers scrollTop too, but leaves it at the very end.
      if (scrollHeight - scrollTop - clientHeight <= NEAR_END_PX) {
        if (!following.current) set(true);
      } else if (scrollTop < topBefore && following.current) set(false);
      topBefore = scrollTop;
    };
    outer.addEventListener("scroll", note, { passive: true });
    toEnd();
    // Whatever makes it grow: text, a picture, a keyboard that takes half of the screen.
    const observer = typeof ResizeObserver === "function" ? new ResizeObserver(toEnd) : null;
    observer?.observe(inner);
    observer?.observe(outer);
    return () => {
      outer.removeEventListener("scroll", note);
      observer?.disconnect();
    };
  }, [scroller, content, set]);

  const follow = useCallback(() => {
    set(true);
    if (scroller.current !== null) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [scroller, set]);

  return { isFollowing, follow };
}
