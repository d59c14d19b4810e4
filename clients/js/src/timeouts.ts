/** How long a server may be silent: it sends something at least every 15 seconds. */

/** Three heartbeats: a connection that is silent for longer is broken. */
export const SILENCE_TIMEOUT_MS = 45_000;

/** One heartbeat, and a little: when a page is seen again after more, its connection is in doubt. */
export const DOUBT_MS = 17_000;
