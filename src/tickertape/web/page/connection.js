// The connection: reads one answer to its end, however often it breaks.
//
// Knows the routes of the native wire (PROTOCOL.md). An end of the body is never the end of the
// answer: only an outcome is. Leaving cancels nothing; `stop` does.

import { applyBlock, forgetText, sentence, settle } from "./answer.js";
import { createDecoder } from "./sse.js";

const CONNECT_TIMEOUT_MS = 20_000;
// The server sends a heartbeat every 15 s. Two and a half without one: a dead connection.
const SILENCE_TIMEOUT_MS = 40_000;
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 10_000;
// About a minute of trying. Counted in attempts, so that a laptop's sleep spends none of it.
const MAX_ATTEMPTS = 15;
const MAX_RETRY_AFTER_MS = 120_000;
const MAX_STOP_ATTEMPTS = 4;
const TRANSIENT_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);

// Every transition lives in this table.
const NEXT = {
  idle: { asked: "connecting" },
  connecting: { opened: "streaming", broke: "waiting", settled: "idle" },
  streaming: { broke: "waiting", settled: "idle" },
  waiting: { woke: "connecting", settled: "idle" },
};

// Could not be made, or broke: worth another attempt.
class Broken extends Error {
  retryAfterMs = 0;
}

// The server said no: another attempt would hear the same.
class Refused extends Error {
  remedy = null;
}

// For `catch` at the calls whose errors are the browser's: there they become ours.
const asBroken = (message) => (cause) => {
  throw new Broken(message, { cause });
};

export class Connection {
  state = "idle";
  notice = "";
  isStopping = false;
  #isStopSent = false;
  #answer = null;
  #abort = null; // ends the reading, and nothing on the server
  #wake = () => {};

  // `changed` is called for each batch and each move; `settled(answer)` once at the end.
  constructor({ changed, settled }) {
    this.changed = changed;
    this.settled = settled;
  }

  // Owns the answer until it has settled, or until `leave`. `messages` ask for it.
  async follow(answer, messages) {
    const { signal } = (this.#abort = new AbortController());
    [this.#answer, this.#isStopSent] = [answer, false];
    this.#move("asked");
    for (let attempt = 0; answer.status === "open"; ) {
      const cursor = answer.after;
      try {
        await this.#readOnce(answer, messages, signal);
      } catch (error) {
        if (signal.aborted) return;
        attempt = answer.after === cursor ? attempt + 1 : 1;
        if (error instanceof Broken) attempt = await this.#recover(answer, attempt, error, signal);
        else settle(answer, ...verdict(error));
        if (signal.aborted) return;
      }
    }
    this.#finish();
  }

  // Asks the server to stop; the answer ends when its outcome arrives.
  stop() {
    if (this.state === "idle" || this.isStopping) return;
    this.isStopping = true;
    if (this.#answer.runId !== null) this.#cancelRun(this.#answer);
    else if (this.state === "waiting") this.#stopUnheard();
    this.changed();
  }

  // Stops reading. With `isCancelling`, tells the server that nobody will come back.
  leave({ isCancelling = false } = {}) {
    if (this.state === "idle") return;
    this.#abort.abort();
    this.#move("settled");
    [this.notice, this.isStopping] = ["", false];
    if (isCancelling && this.#answer.runId !== null) this.#cancelRun(this.#answer);
  }

  // The network is back, or the reader is: don't wait any longer.
  wake() {
    this.#wake();
  }

  #move(event) {
    const next = NEXT[this.state][event];
    if (next === undefined) throw new Error(`${event} may not happen while ${this.state}`);
    this.state = next;
    this.changed();
  }

  #finish() {
    [this.notice, this.isStopping] = ["", false];
    this.#move("settled");
    this.settled(this.#answer);
  }

  // Waits before the next attempt, or settles the answer. Returns the attempts to count so far:
  // none when woken early, since the world has changed.
  async #recover(answer, attempt, error, signal) {
    if (this.isStopping && answer.runId === null) return settleUnheard(answer);
    if (attempt > MAX_ATTEMPTS || error.retryAfterMs > MAX_RETRY_AFTER_MS) {
      const note = `${error.message} This page has given up for now; what arrived is kept.`;
      return settle(answer, "lost", note, "reconnect");
    }
    const ceilingMs = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** (attempt - 1));
    const delayMs = error.retryAfterMs + Math.random() * ceilingMs;
    const isTold = error.retryAfterMs > 0;
    const next = isTold ? `Trying again in ${Math.max(1, Math.round(delayMs / 1000))} s …` : "Reconnecting …";
    this.notice = `${error.message} ${next}`;
    this.#move("broke");
    const isWoken = await this.#sleep(delayMs, { signal, canWake: !isTold });
    if (!signal.aborted) this.#move("woke");
    return isWoken ? 0 : attempt;
  }

  #sleep(delayMs, { signal, canWake }) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs, false);
      const end = () => (clearTimeout(timer), resolve(true));
      signal.addEventListener("abort", end, { once: true });
      if (canWake) this.#wake = end;
    });
  }

  // One connection. Returns when the answer has settled; throws Broken or Refused.
  async #readOnce(answer, messages, signal) {
    const connection = new AbortController();
    let deadline = setTimeout(() => connection.abort(), CONNECT_TIMEOUT_MS);
    try {
      const response = await open(answer, messages, AbortSignal.any([signal, connection.signal]));
      this.notice = "";
      this.#move("opened");
      if (this.isStopping && !this.#isStopSent) this.#cancelRun(answer);
      const [decode, reader] = [createDecoder(), response.body.getReader()];
      while (answer.status === "open") {
        clearTimeout(deadline);
        deadline = setTimeout(() => connection.abort(), SILENCE_TIMEOUT_MS);
        const { done, value } = await reader.read().catch(asBroken("The connection was lost."));
        if (done) throw new Broken("The connection closed before the answer was complete.");
        applyBytes(answer, decode, value);
        this.changed();
      }
    } finally {
      clearTimeout(deadline);
      connection.abort();
    }
  }

  async #cancelRun(answer) {
    this.#isStopSent = true;
    for (let attempt = 1; answer.status === "open"; attempt += 1) {
      const call = fetch(runUrl(answer), { method: "DELETE", keepalive: true });
      const response = await call.catch(() => null); // unreachable: tried again below
      // Gone counts as heard: the reading of the answer finds out, and says so.
      if (response?.ok || [404, 410].includes(response?.status)) return this.wake();
      if (attempt === MAX_STOP_ATTEMPTS) return this.#reportDeafServer(answer);
      const delayMs = Math.random() * BACKOFF_BASE_MS * 2 ** attempt;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }

  #reportDeafServer(answer) {
    if (this.state === "idle" || answer !== this.#answer) return;
    [this.isStopping, this.#isStopSent] = [false, false];
    this.notice = "The server did not hear the stop. Press it again.";
    this.changed();
  }

  #stopUnheard() {
    this.#abort.abort();
    settleUnheard(this.#answer);
    this.#finish();
  }
}

function settleUnheard(answer) {
  settle(answer, "cancelled", "Stopped before the server confirmed the question.", "ask");
}

function verdict(error) {
  if (error instanceof Refused) return ["failed", error.message, error.remedy];
  console.error(error);
  return ["lost", "This page made a mistake; what arrived is kept.", "reconnect"];
}

function applyBytes(answer, decode, bytes) {
  try {
    for (const block of decode(bytes)) applyBlock(answer, block);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError)
      asBroken("The server sent something unreadable.")(error);
    throw error;
  }
}

const runUrl = ({ runId }) => `chat/stream/${encodeURIComponent(runId)}`;

async function open(answer, messages, signal) {
  const isResuming = answer.runId !== null;
  const call = isResuming ? resumption(answer) : question(answer, messages);
  const options = { ...call.options, signal, cache: "no-store" };
  const response = await fetch(call.url, options).catch(asBroken("The server cannot be reached."));
  const type = response.headers.get("content-type") ?? "";
  if (response.status !== 200 || !type.startsWith("text/event-stream"))
    throw await explain(response, answer, isResuming);
  answer.runId ??= response.headers.get("location")?.split("/").pop() ?? null;
  return response;
}

function question({ key }, messages) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  const body = JSON.stringify({ messages });
  return { url: "chat/stream", options: { method: "POST", headers, body } };
}

function resumption(answer) {
  const query = answer.after === null ? "" : `?after=${encodeURIComponent(answer.after)}`;
  return { url: runUrl(answer) + query, options: { headers: { Accept: "text/event-stream" } } };
}

// What an answer that is no stream means: the error to throw.
async function explain(response, answer, isResuming) {
  const { status, headers } = response;
  // A body that is not ours (a proxy's page, say) has nothing to tell the reader.
  const said = await response.json().then((body) => body.error?.message, () => undefined);
  if (TRANSIENT_STATUSES.has(status) || status === 200) {
    const isBusy = status === 429 || status === 503;
    const broken = new Broken(isBusy ? "The server is busy." : "The server cannot be reached.");
    broken.retryAfterMs = parseRetryAfter(headers.get("retry-after"), Date.now());
    return broken;
  }
  // The cursor and the log disagree, or the log has lost what was read. Once, read it all again.
  if (isResuming && [204, 400, 409].includes(status) && !answer.isReread) {
    forgetText(answer);
    answer.isReread = true;
    return new Broken("This answer has to be loaded again.");
  }
  const isGone = isResuming && (status === 404 || status === 410);
  const message = isGone ? "The server no longer has the rest of this answer." : said;
  const refused = new Refused(sentence(message ?? `the server refused (${status})`));
  if (isResuming || status === 401 || status === 403) refused.remedy = "ask";
  return refused;
}

function parseRetryAfter(header, nowMs) {
  if (header === null) return 0;
  const delayMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Math.max(0, delayMs || 0);
}
