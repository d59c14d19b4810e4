/**
 * The connection of a run's reader, as a state machine. Every transition lives in `NEXT`.
 *
 * Pure: what happens is a signal, and who makes it happen is the reader. Knows nothing of the run.
 */
import type { ConnectionInfo, ConnectionState } from "./types.ts";

export type ConnectionSignal =
  /** A request is about to be sent. */
  | { type: "connect" }
  /** The server answered with a stream. */
  | { type: "open" }
  /** Something new has arrived: all is well. */
  | { type: "progress" }
  /** The connection broke, or none was made; the next attempt comes then, or at a wake (null). */
  | { type: "interrupt"; problem: string; retryAtMs: number | null }
  /** The network is back, or the page is seen again: what failed before counts no more. */
  | { type: "wake" }
  /** The run has ended, or reading has. */
  | { type: "close"; problem: string | null };

type Row = { readonly [Signal in ConnectionSignal["type"]]?: ConnectionState };

/**
 * `open` → `connecting` is a check with the server after a page was hidden, or the network was
 * away: a connection may look open for long after it has died.
 */
export const NEXT: Readonly<Record<ConnectionState, Row>> = {
  idle: { connect: "connecting", close: "closed" },
  connecting: { open: "open", interrupt: "waiting", connect: "connecting", close: "closed" },
  open: { progress: "open", interrupt: "waiting", connect: "connecting", close: "closed" },
  waiting: { wake: "waiting", connect: "connecting", close: "closed" },
  closed: {},
};

export const IDLE: ConnectionInfo = { state: "idle", attempt: 0, retryAtMs: null, problem: null };

/** Return the connection after a signal. A signal that the table lacks is a bug, and throws. */
export function nextConnection(from: ConnectionInfo, signal: ConnectionSignal): ConnectionInfo {
  const state = NEXT[from.state][signal.type];
  if (state === undefined) throw new Error(`a connection that is ${from.state} can't ${signal.type}`);
  switch (signal.type) {
    case "connect":
      return { ...from, state, retryAtMs: null };
    case "open":
      return { ...from, state, problem: null };
    case "progress":
      return from.attempt === 0 ? from : { ...from, state, attempt: 0 };
    case "interrupt":
      return { state, attempt: from.attempt + 1, retryAtMs: signal.retryAtMs, problem: signal.problem };
    case "wake":
      return { ...from, state, attempt: 0 };
    case "close":
      return { state, attempt: 0, retryAtMs: null, problem: signal.problem };
  }
}
