/**
 * The connection of a run's reader, as a state machine. Every transition lives in `NEXT`.
 *
 * Pure: what happens is a signal, and who makes it happen is the reader. Knows nothing of the run.
 */
import type { ConnectionInfo, ConnectionState } from "./types.ts";

/**
 * - `connect`: a request is about to be sent.
 * - `open`: the server answered with a stream.
 * - `progress`: something new has arrived: all is well.
 * - `interrupt`: the connection broke, or none was made.
 * - `wake`: the network is back, or the page is seen again: what failed before counts no more.
 * - `close`: the run has ended, or reading has.
 */
export type ConnectionSignal = "connect" | "open" | "progress" | "interrupt" | "wake" | "close";

/**
 * `open` → `connecting` is a check with the server after a page was hidden, or the network was
 * away: a connection may look open for long after it has died.
 */
export const NEXT: Readonly<Record<ConnectionState, Readonly<Partial<Record<ConnectionSignal, ConnectionState>>>>> = {
  idle: { connect: "connecting", close: "closed" },
  connecting: { open: "open", interrupt: "waiting", connect: "connecting", close: "closed" },
  open: { progress: "open", interrupt: "waiting", connect: "connecting", close: "closed" },
  waiting: { wake: "waiting", connect: "connecting", close: "closed" },
  closed: {},
};

export const IDLE: ConnectionInfo = { state: "idle", attempt: 0, retryAtMs: null, problem: null };

/**
 * Return the connection after a signal. A signal that the table lacks is a bug, and throws.
 *
 * `problem` is what is wrong (for `interrupt` and `close`), and `retryAtMs` when the next attempt
 * comes; null: at the next wake.
 */
export function nextConnection(
  from: ConnectionInfo,
  signal: ConnectionSignal,
  problem: string | null = null,
  retryAtMs: number | null = null,
): ConnectionInfo {
  const state = NEXT[from.state][signal];
  if (!state) throw new Error(`no ${signal} when ${from.state}`);
  // Nothing new: so nothing is drawn.
  if (signal === "progress" && from.attempt === 0) return from;
  const isBroken = signal === "interrupt";
  return {
    state,
    // Counted until something arrives, not until a connection opens: one may break at once.
    attempt: isBroken ? from.attempt + 1 : signal === "connect" || signal === "open" ? from.attempt : 0,
    retryAtMs,
    // Shown until the server has answered.
    problem: signal === "connect" || signal === "wake" ? from.problem : problem,
  };
}
