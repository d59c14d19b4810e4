/**
 * A link or an image that a model wrote: followed in another tab, and only when chosen.
 *
 * An image is never loaded: its address alone could carry what was said to somebody else's server.
 */
import type { ReactNode } from "react";
import { safeAddress } from "./links.ts";

const SAFELY = { target: "_blank", rel: "noopener noreferrer nofollow" };

export function Link({ href, children }: { href?: string | undefined; children?: ReactNode }) {
  // The way back from a footnote; with several answers on a page, it would lead to another's.
  if (href?.startsWith("#user-content-fnref")) return null;
  const address = safeAddress(href);
  if (address === null) return <>{children}</>;
  return (
    <a href={address.href} {...SAFELY} title={address.href} data-place={address.place}>
      {children}
    </a>
  );
}

export function Picture({ src, alt }: { src?: unknown; alt?: string | undefined }) {
  const address = safeAddress(typeof src === "string" ? src : undefined);
  const words = alt?.trim() ? `: ${alt.trim()}` : "";
  if (address === null) return <span className="page-picture">Image left out{words}</span>;
  return (
    <a className="page-picture" href={address.href} {...SAFELY} title={address.href}>
      Image from {address.place}
      {words}
    </a>
  );
}
