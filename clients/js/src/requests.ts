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
function interruptible<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return unlessAborted(promise, signal).catch((error: unknown) => {
    throw isNetworkError(error) ? new Interruption("The server can't be reached.") : error;
  });
}

/** For those who are between us and the server: what comes is a stream, and not to be held back. */
export const ACCEPT = { Accept: "text/event-stream" };

/** An observation that has no time yet. */
type Happening = Observation extends infer One ? (One extends Observation ? Omit<One, "atMs"> : never) : never;

interface Refusal {
  readonly code?: unknown;
  readonly message?: unknown;
}

/** Return what the body says, if it is one of ours; else the status says enough. */
async function refusalOf(response: Response, signal: AbortSignal): Promise<Refusal> {
  const parsed: Promise<{ error?: Refusal } | null> = response.json().catch(() => null);
  const body = await unlessAborted(parsed, signal);
  return body?.error ?? {};
}

const FINAL: { readonly [status: number]: readonly [ReaderErrorCode, string] } = {
  401: ["unauthorized", "Sign in and try again."],
  403: ["forbidden", "This is not allowed."],
  404: ["unknown_run", "This answer does not exist, or is not yours."],
  409: ["idempotency_conflict", "This was already asked in other words."],
  410: ["run_trimmed", "This answer is no longer kept."],
  413: ["invalid_request", "This is too long."],
};

/** Return what a status means that is not good. */
function errorOf({ status, headers }: Response, { code, message }: Refusal): Error {
  const said = String(message ?? `status ${status}`);
  if (code === "records_lost" || code === "cursor_beyond_end") return recordsLost(said);
  if ((status === 429 || status >= 500) && code !== "not_configured") {
    return new Interruption("The server can't answer now.", parseRetryAfter(headers.get("Retry-After")));
  }
  const known = FINAL[status];
  if (known && (status !== 404 || code)) return new ReaderError(...known, said);
  // Another that the server itself has refused.
  if (status < 500 && code) return new ReaderError("invalid_request", `The server did not accept this: ${said}`, said);
  return new ReaderError("not_configured", "The server is not set up to answer here.", said);
}

/** One server, as one caller reaches it. */
export interface Requests {
  readonly platform: Platform;
  /** Tell an inspector, if there is one, of what happens now. */
  observe(happening: Happening): void;
  /**
   * Send a request, and return the reply once its status says that it is good.
   *
   * Throws an `Interruption` when another attempt may help, and a `ReaderError` when none will.
   */
  send(call: Call): Promise<Response>;
}

/** Return the requests that the options describe. */
export function requestsTo({ api = "/chat/stream", getHeaders, observe, ...options }: RunOptions): Requests {
  const platform: Platform = { ...PLATFORM, ...options.platform };
  const fetch = options.fetch ?? platform.fetch;

  const tell = (happening: Happening) => observe?.({ ...happening, atMs: platform.nowMs() } as Observation);

  async function sendOnce(call: Call, why: "request" | "unauthorized"): Promise<Response> {
    const { method, runId, body = null, signal } = call;
    const headers = new Headers(getHeaders && (await interruptible(Promise.resolve(getHeaders(why)), signal)));
    for (const name in call.headers) headers.set(name, call.headers[name] as string);
    const url = api.replace(/\/+$/, "") + (runId ? `/${encodeURIComponent(runId)}` : "");
    // An answer in the making is nothing to keep.
    return interruptible(fetch(url, { method, headers, body, signal, cache: "no-store" }), signal);
  }

  async function send(call: Call): Promise<Response> {
    const { method, cursor = null, attempt, signal } = call;
    tell({ type: "request", method, cursor, attempt });
    let response = await sendOnce(call, "request");
    // Once more, with fresh credentials; the first reply's connection closes with the second's.
    if (response.status === 401 && getHeaders) response = await sendOnce(call, "unauthorized");
    tell({ type: "answer", method, status: response.status });
    if (!response.ok) throw errorOf(response, await refusalOf(response, signal));
    return response;
  }

  return { platform, observe: tell, send };
}
