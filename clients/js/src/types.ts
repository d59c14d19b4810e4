/**
 * The words of this package, as types: what a run is, what happens in it, and how one follows it.
 *
 * Knows no transport and no screen. Everything here but `Run`, `Platform` and `RunOptions` is
 * plain data that JSON can hold. The wire itself is described in PROTOCOL.md; here its names are
 * in camelCase, and what a server left out is null.
 */

/** How the run ended. */
export type Outcome = "completed" | "failed" | "cancelled";

/** Why the model stopped. A newer server may have more words. */
export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter" | "other" | (string & {});

/** Why a run failed, in words that are safe to show. */
export interface RunError {
  readonly message: string;
  readonly code: string;
  /** Whether asking again may help. */
  readonly retryable: boolean;
}

/** What the provider will bill, in its tokens; null where it did not say. */
export interface Usage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly totalTokens: number | null;
  readonly cachedInputTokens: number | null;
  readonly reasoningTokens: number | null;
}

/** How long it took on the server, in seconds since the run was started. */
export interface Timings {
  /** Until the first delta; null when there was none. */
  readonly firstProgressS: number | null;
  readonly durationS: number;
}

/** One try of one route, where it took more than one. */
export interface Attempt {
  readonly provider: string;
  readonly model: string;
  /** `outrun`: another one spoke first. */
  readonly result: "chosen" | "failed" | "outrun" | (string & {});
  /** Seconds since the run was started. */
  readonly begunS: number;
  readonly endedS: number;
  readonly error: RunError | null;
  readonly usage: Usage | null;
}

/** What a content filter found, in the provider's own form. */
export interface Filter {
  readonly subject: "prompt" | "completion" | (string & {});
  readonly annotations: Readonly<Record<string, unknown>>;
  /** Null when it is about the prompt, or the provider did not say. */
  readonly choice: number | null;
}

/** One tool call, as far as it has arrived. */
export interface ToolCall {
  readonly id: string | null;
  readonly name: string | null;
  /** JSON text; complete only when the choice has finished. */
  readonly arguments: string;
}

/** What happens in a run. `choice` is 0 unless more than one answer was asked for. */
export type RunEvent =
  | { type: "run_started"; runId: string; model: string; provider: string; createdAt: number }
  | { type: "attempt"; attempt: Attempt }
  | { type: "text"; text: string; choice: number }
  | { type: "reasoning"; text: string; choice: number }
  | { type: "refusal"; text: string; choice: number }
  | {
      type: "tool_call";
      index: number;
      id: string | null;
      name: string | null;
      arguments: string;
      choice: number;
    }
  | { type: "filter"; filter: Filter }
  | { type: "usage"; usage: Usage }
  | { type: "choice_finished"; choice: number; finishReason: FinishReason; rawFinishReason: string | null }
  | {
      type: "run_ended";
      outcome: Outcome;
      finishReason: FinishReason | null;
      cancelledBy: string | null;
      error: RunError | null;
      usage: Usage | null;
      timings: Timings | null;
      length: number;
    }
  /** From a newer server: nothing to do with it, and no error. */
  | { type: "unknown"; payload: Readonly<Record<string, unknown>> };

/** One of the answers of a run, as far as it has arrived. */
export interface Choice {
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string;
  /** In the order of their index. */
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason | null;
}

/**
 * What a run is after the events so far: an immutable value, and plain JSON, so that it can be
 * stored and gone on with. Its own text and so on are those of the first choice.
 */
export interface RunState extends Choice {
  readonly runId: string | null;
  readonly model: string | null;
  readonly provider: string | null;
  /** UTC, seconds since the epoch. */
  readonly createdAt: number | null;
  /** The id of the last block applied, as it came; null before the first. */
  readonly cursor: string | null;
  /** All answer text so far, of every choice, in code points. */
  readonly receivedLength: number;
  /** The second choice and further ones, where `n` asked for them. */
  readonly otherChoices: readonly Choice[];
  readonly attempts: readonly Attempt[];
  readonly filters: readonly Filter[];
  readonly usage: Usage | null;
  /** Null until the run has ended. */
  readonly outcome: Outcome | null;
  /** `user`, `abandoned` or `shutdown`, when cancelled. */
  readonly cancelledBy: string | null;
  readonly error: RunError | null;
  readonly timings: Timings | null;
  /** The length that the end gave, in code points; it has been checked. */
  readonly length: number | null;
}

export type ConnectionState = "idle" | "connecting" | "open" | "waiting" | "closed";

/** How the reading goes, apart from what is read. */
export interface ConnectionInfo {
  readonly state: ConnectionState;
  /** Failures in a row; 0 while all is well. */
  readonly attempt: number;
  /** When the next attempt comes (`Date.now()`); null unless waiting. */
  readonly retryAtMs: number | null;
  /** What is wrong, in plain words; null while all is well. */
  readonly problem: string | null;
}

/** Why reading was given up. The run itself may go on. */
export type ReaderErrorCode =
  | "connection_lost"
  | "records_lost"
  | "protocol_error"
  | "unauthorized"
  | "forbidden"
  | "unknown_run"
  | "run_trimmed"
  | "invalid_request"
  | "idempotency_conflict"
  | "not_configured"
  /** `leave` was called. */
  | "left"
  /** A bug, ours or the caller's; `ended` rejects with the error itself. */
  | "unexpected";

/** One moment of a run and its reading. The same object until something has changed. */
export interface RunSnapshot {
  readonly run: RunState;
  readonly connection: ConnectionInfo;
  /** Stop was asked for, and the run's end has not arrived yet. */
  readonly isStopping: boolean;
  /** Why reading was given up before the run's end; null otherwise. */
  readonly failure: ReaderFailure | null;
}

/** What a `ReaderError` says, as plain data. */
export interface ReaderFailure {
  readonly code: ReaderErrorCode;
  /** Plain words, to show to a reader. */
  readonly message: string;
  /** For developers: what the server or the network said. */
  readonly detail: string;
}

/** A run that is being followed. */
export interface Run {
  /** Call `listener` after each change: once for a chunk of bytes, however many events it has. */
  subscribe(listener: () => void): () => void;
  getSnapshot(): RunSnapshot;
  /**
   * Cancel the run on the server. Resolves when the answer's end has arrived, or reading was given
   * up; safe to repeat. Before the start has reached the server, it ends as cancelled here.
   */
  stop(): Promise<void>;
  /** Stop reading; the run goes on. Safe to repeat. */
  leave(): void;
  /** The state with the outcome, whichever it is. Rejects with a `ReaderError` when there is none. */
  readonly ended: Promise<RunState>;
}

/** Something that an inspector can draw. `atMs` is on the platform's clock (`Date.now()`). */
export type Observation =
  | { type: "request"; atMs: number; method: "POST" | "GET" | "DELETE"; cursor: string | null; attempt: number }
  | { type: "answer"; atMs: number; method: "POST" | "GET" | "DELETE"; status: number }
  | { type: "arrival"; atMs: number; events: number; textLength: number; cursor: string | null }
  | { type: "heartbeat"; atMs: number }
  | {
      type: "interruption";
      atMs: number;
      cursor: string | null;
      problem: string;
      /** Null: at the next wake. */
      retryAtMs: number | null;
    }
  | { type: "end"; atMs: number; outcome: Outcome | null; failure: ReaderFailure | null };

/** What wakes a reader that waits: the network is back, or the page is seen again. */
export type Wake = "online" | "visible";

/** What a reader needs of the place it runs in. All of it can be replaced, in tests above all. */
export interface Platform {
  fetch(url: string, init: RequestInit): Promise<Response>;
  nowMs(): number;
  /** From 0 to below 1. */
  random(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Hear of wakes until the function returned is called. */
  watchWakes(listener: (wake: Wake) => void): () => void;
  /** Whether the page is hidden, or the network known to be away: then nobody gives up. */
  isAway(): boolean;
  /**
   * For how long one picture of a page stays on the screen, in milliseconds; 0 where nobody looks.
   * A stream that is faster is read once for two of them: more often, nobody could see it.
   */
  frameMs(): number;
}

export interface RunOptions {
  /** Where runs are started; default `/chat/stream` (`tickertape serve` has it under `/api` too). */
  api?: string;
  /**
   * Headers for every request: credentials, mostly. Asked again with `unauthorized` after a 401,
   * for fresh ones.
   */
  getHeaders?: (why: "request" | "unauthorized") => HeadersInit | Promise<HeadersInit>;
  /** Shorthand for `platform.fetch`. */
  fetch?: Platform["fetch"];
  platform?: Partial<Platform>;
  /**
   * When the server has lost what was read (`records_lost`), drop the text and read the run again
   * from its beginning; default true. It is done only for a run that was read from its beginning.
   */
  rereadsLost?: boolean;
  /** Hear of every request, arrival, heartbeat and interruption. */
  observe?: (observation: Observation) => void;
  /** Aborting it is `leave()`. */
  signal?: AbortSignal;
}

/** Where to start a run. */
export interface StartOptions extends RunOptions {
  /** A second start with the same key and request joins the first run. Default: a new one. */
  idempotencyKey?: string;
}

/** Where to go on with a run. */
export interface TailOptions extends RunOptions {
  /** The cursor to read after; default: that of `state`, or the beginning. */
  after?: string;
  /** What was read earlier, to go on from. */
  state?: RunState;
}

/** One message of the conversation so far, in the server's field names. */
export interface Message {
  role: "system" | "developer" | "user" | "assistant" | "tool";
  content?: string | readonly Record<string, unknown>[] | null;
  name?: string;
  refusal?: string | null;
  tool_calls?: readonly Record<string, unknown>[];
  tool_call_id?: string;
}

/** What to ask, as the server takes it: PROTOCOL.md, "Start". */
export interface ChatRequest {
  messages: readonly Message[];
  model?: string;
  max_tokens?: number;
  max_completion_tokens?: number;
  temperature?: number;
  top_p?: number;
  n?: number;
  stop?: string | readonly string[];
  seed?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  reasoning_effort?: string;
  response_format?: Record<string, unknown>;
  tools?: readonly Record<string, unknown>[];
  tool_choice?: string | Record<string, unknown>;
  parallel_tool_calls?: boolean;
  user?: string;
}
