/**
 * Which conversation is open, in the page's address: a reload, the back button and a second tab
 * find it there.
 */

const PREFIX = "#c=";

export function readAddress(hash: string = location.hash): string | null {
  return hash.startsWith(PREFIX) && hash.length > PREFIX.length ? decodeURIComponent(hash.slice(PREFIX.length)) : null;
}

export const addressOf = (id: string) => `${PREFIX}${encodeURIComponent(id)}`;
