/**
 * How an answer ended, and what the reader can do about it.
 *
 * A pure function from what the core says to a plain value. The words for it are in `words.ts`.
 */
import type { ReaderErrorCode, ReaderFailure, RunState } from "../types.ts";

/**
 * The run's outcomes; `lost`: reading was given up, so that how the run ended is not known here.
 */
export type EndedStatus = "completed" | "failed" | "cancelled" | "lost";

/**
 * What helps: `ask` the same again, as a new run; `reconnect`, to go on with the same one from the
 * cursor; `reread` the same one from its beginning.
 */
export type Remedy = "ask" | "reconnect" | "reread";

export interface Ending {
  readonly status: EndedStatus;
  /**
   * Why: an error code of the run (PROTOCOL.md, "The end"), a code of a `ReaderError`, or one of
   * `complete`, `no_text`, `length`, `content_filter`, `tool_calls`, `stopped`, `shutdown`,
   * `abandoned`, `unsent`.
   */
  readonly code: string;
  /** The server's own sentence, or the reader's; null when neither gave one. */
  readonly said: string | null;
  /** Null when nothing helps, or nothing is wrong. */
  readonly remedy: Remedy | null;
}

const REMEDY_OF_FAILURE: Readonly<Record<ReaderErrorCode, Remedy | null>> = {
  connection_lost: "reconnect",
  records_lost: "reread",
  protocol_error: "reread",
  unauthorized: "reconnect",
  forbidden: null,
  unknown_run: "ask",
  run_trimmed: "ask",
  invalid_request: null,
  idempotency_conflict: "ask",
  not_configured: "ask",
  left: "reconnect",
  unexpected: "reconnect",
};

/** Return how the run ended; null while it goes on. */
export function endingOfRun(run: RunState): Ending | null {
  switch (run.outcome) {
    case null:
      return null;
    case "completed":
      return { status: "completed", code: completionOf(run), said: null, remedy: null };
    case "cancelled":
      return { status: "cancelled", code: cancellationOf(run), said: null, remedy: "ask" };
    case "failed":
      return {
        status: "failed",
        code: run.error?.code ?? "internal",
        said: run.error?.message ?? null,
        remedy: run.error?.retryable === true ? "ask" : null,
      };
  }
}

/**
 * Return how the reading ended without the run's end.
 *
 * Before the run is known there is nothing to read again: what was refused has failed.
 */
export function endingOfFailure(failure: ReaderFailure, run: RunState): Ending {
  const remedy = REMEDY_OF_FAILURE[failure.code];
  if (run.runId !== null)
    return { status: "lost", code: failure.code, said: failure.message, remedy };
  // Asking once more with the same key joins the run, if there is one after all.
  const isRefused = failure.code !== "connection_lost" && failure.code !== "protocol_error";
  return {
    status: isRefused ? "failed" : "lost",
    code: failure.code,
    said: failure.message,
    remedy: remedy === "reread" ? "reconnect" : remedy,
  };
}

function completionOf(run: RunState): string {
  const reason = run.finishReason;
  if (reason === "length" || reason === "content_filter" || reason === "tool_calls") return reason;
  return run.text === "" && run.refusal === "" ? "no_text" : "complete";
}

function cancellationOf(run: RunState): string {
  if (run.runId === null) return "unsent";
  return run.cancelledBy === "shutdown" || run.cancelledBy === "abandoned"
    ? run.cancelledBy
    : "stopped";
}
