/**
 * How long to wait before trying again, and when to stop trying.
 *
 * Pure: chance is passed in. Counts attempts and not time, so a laptop that sleeps spends none.
 * Source: Marc Brooker, "Exponential Backoff And Jitter" (full jitter: the least work for a server
 * that everybody waits for).
 */

/** The most that the first wait can be; each further one may be twice as long. */
const FIRST_MS = 500;
/** The most that any wait can be, unless the server asks for more. */
const LONGEST_MS = 10_000;
/** About a minute in all: a server restarts in less. */
const MAX_ATTEMPTS = 15;
/** A server that asks for a longer wait than this is given up. */
const LONGEST_ASKED_MS = 60_000;

/**
 * Return how long to wait after this many failures in a row; null means give up.
 *
 * `fraction` is a random number from 0 to 1; `askedMs` the least that the server asked for.
 */
export function waitAfter(failures: number, fraction: number, askedMs = 0): number | null {
  if (failures > MAX_ATTEMPTS || askedMs > LONGEST_ASKED_MS) return null;
  return Math.max(askedMs, fraction * Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1)));
}

/** Return how long a `Retry-After` header asks to wait; 0 when it names no seconds. */
export function parseRetryAfter(value: string | null): number {
  // It may be a date instead; then a reader's own waits are as good.
  return Number(value) * 1000 || 0;
}
