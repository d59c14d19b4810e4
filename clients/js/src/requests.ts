/**
 * Requests to one server, and what each status means: a reply, a reason to try again, or the end.
 *
 * Knows addresses, headers and statuses. Waiting and trying again are the reader's business.
 */
import { parseRetryAfter } from "./backoff.ts";
import { Interruption, ReaderError } from "./errors.ts";
import { isNetworkError } from "./network.ts";
import { PLATFORM } from "./platform.ts";
import type { Observation, Platform, ReaderErrorCode, RunOptions } from "./types.ts";

/** The cursor is beyond the run's end: lost, or never right. The reader knows which. */
export class CursorRefused extends ReaderError {}

export interface Call {
  readonly method: "POST" | "GET" | "DELETE";
  readonly runId?: string | null;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly cursor?: string | null;
  /** How many attempts failed before this one. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** Return what the promise gives, or throw the signal's reason as soon as it is aborted. */
export async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  let abort = () => {};
  try {
    // Raced, since not every `fetch` in the world (a service worker's, say) heeds its signal.
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        abort = () => reject(signal.reason);
        if (signal.aborted) abort();
        signal.addEventListener("abort", abort);
      }),
    ]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Return what the promise gives; a network's error becomes an `Interruption`. */
async function interruptible<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  try {
    return await unlessAborted(promise, signal);
  } catch (error) {
    throw isNetworkError(error) ? new Interruption("The server can't be reached.") : error;
  }
}

interface Refusal {
  readonly code?: unknown;
  readonly message?: unknown;
}

async function refusalOf(response: Response, signal: AbortSignal): Promise<Refusal> {
  try {
    const body = (await unlessAborted(response.json(), signal)) as { error?: Refusal } | null;
    return body?.error ?? {};
  } catch (error) {
    if (signal.aborted) throw error;
    return {}; // not ours, or cut off: the status says enough
  }
}

/** Return what a status means that is not good. */
function errorOf(response: Response, refusal: Refusal, nowMs: number): Error {
  const { status } = response;
  const code = String(refusal.code ?? "");
  const said = String(refusal.message ?? "") || `status ${status}`;
  if ([408, 425, 429, 500, 502, 503, 504].includes(status) && code !== "not_configured") {
    const problem = status === 429 || status === 503 ? "The server is busy." : "The server has a problem.";
    return new Interruption(problem, parseRetryAfter(response.headers.get("Retry-After"), nowMs));
  }
  const error = (kind: ReaderErrorCode, message: string) => new ReaderError(kind, message, said);
  if (status === 401) return error("unauthorized", "You have been signed out. Sign in and try again.");
  if (status === 403) return error("forbidden", "You are not allowed to do this.");
  if (status === 404 && code) return error("unknown_run", "This answer does not exist, or is not yours.");
  if (status === 410) return error("run_trimmed", "This answer is no longer kept.");
  if (code === "records_lost") return error("records_lost", "The server has lost a part of this answer.");
  if (status === 409) return error("idempotency_conflict", "This was already asked in other words.");
  if (code === "cursor_beyond_end") {
    return new CursorRefused("invalid_request", "The server does not know this place in the answer.", said);
  }
  if (status === 413) return error("invalid_request", "This is too long for the server.");
  if (status === 400 || status === 415 || status === 422) {
    return error("invalid_request", `The server did not accept this: ${said}`);
  }
  return error("not_configured", "The server is not set up to answer here.");
}

export class Requests {
  readonly platform: Platform;
  readonly #options: RunOptions;
  readonly #api: string;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#api = (options.api ?? "/chat/stream").replace(/\/+$/, "");
    this.platform = { ...PLATFORM, ...options.platform };
    if (options.fetch) this.platform.fetch = options.fetch;
  }

  observe(observation: Observation): void {
    this.#options.observe?.(observation);
  }

  /**
   * Send a request, and return the reply once its status says that it is good.
   *
   * Throws an `Interruption` when another attempt may help, and a `ReaderError` when none will.
   */
  async send(call: Call): Promise<Response> {
    const { method, signal } = call;
    const { platform } = this;
    this.observe({
      type: "request",
      atMs: platform.nowMs(),
      method,
      cursor: call.cursor ?? null,
      attempt: call.attempt,
    });
    let response = await this.#sendOnce(call, "request");
    if (response.status === 401 && this.#options.getHeaders) {
      response.body?.cancel().catch(() => {}); // it may be broken already
      response = await this.#sendOnce(call, "unauthorized");
    }
    this.observe({ type: "answer", atMs: platform.nowMs(), method, status: response.status });
    if (!response.ok) throw errorOf(response, await refusalOf(response, signal), platform.nowMs());
    return response;
  }

  async #sendOnce(call: Call, why: "request" | "unauthorized"): Promise<Response> {
    const { method, runId, signal } = call;
    const { getHeaders } = this.#options;
    const headers = new Headers(getHeaders && (await interruptible(Promise.resolve(getHeaders(why)), signal)));
    headers.set("Accept", method === "DELETE" ? "application/json" : "text/event-stream");
    for (const [name, value] of Object.entries(call.headers ?? {})) headers.set(name, value);
    return interruptible(
      this.platform.fetch(runId ? `${this.#api}/${encodeURIComponent(runId)}` : this.#api, {
        method,
        headers,
        signal,
        // An answer in the making is nothing to keep.
        cache: "no-store",
        ...(call.body === undefined ? {} : { body: call.body }),
      }),
      signal,
    );
  }
}
