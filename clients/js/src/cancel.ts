/**
 * Cancels a run on its server, however often the connection breaks.
 *
 * Knows nothing of who reads the run; its end reaches every reader through the log.
 */
import { waitAfter } from "./backoff.ts";
import { Interruption, ReaderError } from "./errors.ts";
import { type Requests, unlessAborted } from "./requests.ts";
import { SILENCE_TIMEOUT_MS } from "./timeouts.ts";

/** Cancel the run; return when its end is in the log. Safe to repeat. */
export async function cancel(requests: Requests, runId: string, over: AbortSignal): Promise<void> {
  const { platform } = requests;
  for (let failures = 0; ; ) {
    const call = new AbortController();
    const stopCall = () => call.abort(over.reason);
    over.addEventListener("abort", stopCall);
    const timer = platform.setTimeout(
      () => call.abort(new Interruption("The server has gone silent.")),
      SILENCE_TIMEOUT_MS,
    );
    try {
      await requests.send({ method: "DELETE", runId, attempt: failures, signal: call.signal });
      return;
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
      failures += 1;
      const waitMs = waitAfter(failures, platform.random(), error.askedMs);
      if (waitMs === null) {
        throw new ReaderError("connection_lost", `${error.message} The answer could not be stopped.`);
      }
      let wait: unknown;
      try {
        await unlessAborted(
          new Promise<void>((resolve) => {
            wait = platform.setTimeout(resolve, waitMs);
          }),
          over,
        );
      } finally {
        platform.clearTimeout(wait);
      }
    } finally {
      platform.clearTimeout(timer);
      over.removeEventListener("abort", stopCall);
      call.abort(); // nobody reads the body
    }
  }
}
