/**
 * Which addresses that a model wrote may be followed, and what a reader is told of them.
 *
 * What a model writes is untrusted: it may repeat what a stranger's document told it to. So an
 * address is followed only when a reader chooses to, in a tab of its own, and never loaded by
 * the page itself.
 */

export interface Address {
  readonly href: string;
  /** Where it leads: a host, or the address of a letter. */
  readonly place: string;
}

const FOLLOWED = new Set(["http:", "https:", "mailto:"]);

/**
 * The address as it may be followed, or null: for scripts, data and the like, and for paths,
 * since a model has no business with the server that this page came from.
 */
export function safeAddress(written: string | undefined): Address | null {
  if (written === undefined || !URL.canParse(written)) return null;
  const url = new URL(written);
  if (!FOLLOWED.has(url.protocol)) return null;
  if (url.protocol === "mailto:") return { href: url.href, place: url.pathname };
  // "https://bank.example@evil.example" leads to the latter; nobody needs the former.
  url.username = "";
  url.password = "";
  return url.host === "" ? null : { href: url.href, place: url.host };
}
