/**
 * Cancels a run on its server, however often the connection breaks.
 *
 * Knows nothing of who reads the run; its end reaches every reader through the log.
 */
import { waitAfter } from "./backoff.ts";
import { Interruption, ReaderError } from "./errors.ts";
import type { Requests } from "./requests.ts";
import { SILENCE_TIMEOUT_MS, sleep, unlessAborted } from "./waits.ts";

/** Cancel the run; return when its end is in the log. Throws the reason of `over` once it is aborted. */
export async function cancel(requests: Requests, runId: string, over: AbortSignal): Promise<void> {
  const { platform } = requests;
  for (let attempt = 0; ; ) {
    const call = new AbortController();
    const { signal } = call;
    const silence = () => call.abort(new Interruption("The server has gone silent."));
    const timer = platform.setTimeout(silence, SILENCE_TIMEOUT_MS);
    try {
      await unlessAborted(requests.send({ method: "DELETE", runId, attempt, signal }), over);
      return;
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
      attempt += 1;
      const waitMs = waitAfter(attempt, platform.random(), error.askedMs);
      if (waitMs === null) {
        throw new ReaderError("connection_lost", `${error.message} It was not stopped.`);
      }
      await sleep(platform, waitMs, over);
    } finally {
      platform.clearTimeout(timer);
      call.abort(); // nobody reads the body
    }
  }
}
