/**
 * Requests to one server, and what each status means: a reply, a reason to try again, or the end.
 *
 * Knows addresses, headers and statuses. Waiting and trying again are the reader's business.
 */
import { parseRetryAfter } from "./backoff.ts";
import { Interruption, ReaderError, recordsLost } from "./errors.ts";
import { isNetworkError } from "./network.ts";
import { PLATFORM } from "./platform.ts";
import type { Observation, Platform, ReaderErrorCode, RunOptions } from "./types.ts";
import { unlessAborted } from "./waits.ts";

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

/** Return what the promise gives; a network's error becomes an `Interruption`. */
async function interruptible<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  try {
    return await unlessAborted(promise, signal);
  } catch (error) {
    throw isNetworkError(error) ? new Interruption("The server can't be reached.") : error;
  }
}

/** An observation that has no time yet. */
type Happening = Observation extends infer One ? (One extends Observation ? Omit<One, "atMs"> : never) : never;

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

const FINAL: { readonly [status: number]: readonly [ReaderErrorCode, string] } = {
  401: ["unauthorized", "You have been signed out. Sign in and try again."],
  403: ["forbidden", "You are not allowed to do this."],
  404: ["unknown_run", "This answer does not exist, or is not yours."],
  409: ["idempotency_conflict", "This was already asked in other words."],
  410: ["run_trimmed", "This answer is no longer kept."],
  413: ["invalid_request", "This is too long for the server."],
};

/** Return what a status means that is not good. */
function errorOf({ status, headers }: Response, { code, message }: Refusal): Error {
  const said = String(message ?? `status ${status}`);
  if (code === "records_lost" || code === "cursor_beyond_end") return recordsLost(said);
  const isFinal = code === "not_configured" || (status === 404 && !code);
  if (!isFinal && (status === 429 || status >= 500)) {
    const problem = status === 429 || status === 503 ? "The server is busy." : "The server has a problem.";
    return new Interruption(problem, parseRetryAfter(headers.get("Retry-After")));
  }
  const known = isFinal ? null : FINAL[status];
  if (known) return new ReaderError(...known, said);
  if (status === 400 || status === 415 || status === 422) {
    return new ReaderError("invalid_request", `The server did not accept this: ${said}`, said);
  }
  return new ReaderError("not_configured", "The server is not set up to answer here.", said);
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

  /** Tell an inspector, if there is one, of what happens now. */
  observe(happening: Happening): void {
    this.#options.observe?.({ ...happening, atMs: this.platform.nowMs() } as Observation);
  }

  /**
   * Send a request, and return the reply once its status says that it is good.
   *
   * Throws an `Interruption` when another attempt may help, and a `ReaderError` when none will.
   */
  async send(call: Call): Promise<Response> {
    const { method, signal } = call;
    this.observe({ type: "request", method, cursor: call.cursor ?? null, attempt: call.attempt });
    let response = await this.#sendOnce(call, "request");
    if (response.status === 401 && this.#options.getHeaders) {
      response.body?.cancel().catch(() => {}); // it may be broken already
      response = await this.#sendOnce(call, "unauthorized");
    }
    this.observe({ type: "answer", method, status: response.status });
    if (!response.ok) throw errorOf(response, await refusalOf(response, signal));
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
