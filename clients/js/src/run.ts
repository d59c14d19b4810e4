/**
 * Start a run, go on with one, or cancel one: what an application calls.
 *
 * Begins; the reading itself is `reader.ts`.
 */
import { cancel } from "./cancel.ts";
import { Reader } from "./reader.ts";
import { ACCEPT, requestsTo } from "./requests.ts";
import { Transcript } from "./transcript.ts";
import type { ChatRequest, Run, RunOptions, StartOptions, TailOptions } from "./types.ts";

/**
 * Start a run and follow it. However often the start is sent, one run comes of it: without an
 * idempotency key of the caller's, one is made up.
 */
export function startRun(request: ChatRequest, options: StartOptions = {}): Run {
  // Not `randomUUID`: a page that came over plain HTTP lacks it.
  const { idempotencyKey = crypto.getRandomValues(new Uint32Array(4)).join("-") } = options;
  const headers = { ...ACCEPT, "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
  return new Reader(options, new Transcript(null), { method: "POST", headers, body: JSON.stringify(request) });
}

/**
 * Follow a run from after a cursor, or from where `state` ends, or from its beginning. Only with
 * the beginning or a state is the text whole, and its length checked.
 */
export function tailRun(runId: string, options: TailOptions = {}): Run {
  return new Reader(options, new Transcript(runId, options), null);
}

/** Cancel a run; resolves when it has ended. Safe to repeat. Rejects with a `ReaderError`. */
export function cancelRun(runId: string, options: RunOptions = {}): Promise<void> {
  return cancel(requestsTo(options), runId, options.signal ?? new AbortController().signal);
}
