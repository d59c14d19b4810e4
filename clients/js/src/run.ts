/**
 * Start a run, go on with one, or cancel one: what an application calls.
 *
 * Begins; the reading itself is `reader.ts`.
 */
import { cancel } from "./cancel.ts";
import { PLATFORM } from "./platform.ts";
import { Reader } from "./reader.ts";
import { Requests } from "./requests.ts";
import { Transcript } from "./transcript.ts";
import type { ChatRequest, Run, RunOptions, StartOptions, TailOptions } from "./types.ts";

/**
 * Start a run and follow it. However often the start is sent, one run comes of it: without an
 * idempotency key of the caller's, one is made up.
 */
export function startRun(request: ChatRequest, options: StartOptions = {}): Run {
  const makeKey = options.platform?.newIdempotencyKey ?? PLATFORM.newIdempotencyKey;
  const idempotencyKey = options.idempotencyKey ?? makeKey();
  return new Reader(options, new Transcript(null), { body: JSON.stringify(request), idempotencyKey });
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
  return cancel(new Requests(options), runId, options.signal ?? new AbortController().signal);
}
