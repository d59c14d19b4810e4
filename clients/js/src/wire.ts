/**
 * The native wire: a block's data → the event that it brings.
 *
 * PROTOCOL.md describes it. Which payload it is, its keys tell; unknown ones are no error. A known
 * payload with a wrong field is: better no answer than half of one. Knows no transport.
 */
import { ReaderError } from "./errors.ts";
import type { Attempt, Outcome, RunError, RunEvent, Timings, Usage } from "./types.ts";

/** The data of the last block: closed, no more data ever. */
export const DONE = "[DONE]";

type Payload = Readonly<Record<string, unknown>>;

/** Return the error that a stream is when it is no native wire. */
export function protocolError(detail: string): ReaderError {
  return new ReaderError("protocol_error", "The server sent something that can't be read.", detail);
}

function payload(value: unknown, name: string): Payload {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw protocolError(`${name} must be an object, not ${JSON.stringify(value)}`);
  }
  return value as Payload;
}

function need(from: Payload, name: string, type: "string"): string;
function need(from: Payload, name: string, type: "number"): number;
function need(from: Payload, name: string, type: "string" | "number"): unknown {
  const value = from[name];
  if (typeof value !== type) throw protocolError(`${name} must be a ${type}, not ${JSON.stringify(value)}`);
  return value;
}

function textOr<Default>(from: Payload, name: string, otherwise: Default): string | Default {
  return from[name] == null ? otherwise : need(from, name, "string");
}

function numberOr<Default>(from: Payload, name: string, otherwise: Default): number | Default {
  return from[name] == null ? otherwise : need(from, name, "number");
}

/** Lists are filled up to an index; no model has so many choices or calls. */
const MAX_INDEX = 1023;

function index(from: Payload, name: string): number {
  const value = numberOr(from, name, 0);
  if (!Number.isInteger(value) || value < 0 || value > MAX_INDEX) {
    throw protocolError(`${name} must be from 0 to ${MAX_INDEX}, not ${value}`);
  }
  return value;
}

function usageOf(value: unknown): Usage | null {
  if (value == null) return null;
  const from = payload(value, "usage");
  return {
    inputTokens: numberOr(from, "input_tokens", null),
    outputTokens: numberOr(from, "output_tokens", null),
    totalTokens: numberOr(from, "total_tokens", null),
    cachedInputTokens: numberOr(from, "cached_input_tokens", null),
    reasoningTokens: numberOr(from, "reasoning_tokens", null),
  };
}

function timingsOf(value: unknown): Timings | null {
  if (value == null) return null;
  const from = payload(value, "timings");
  return {
    firstProgressS: numberOr(from, "first_progress_s", null),
    durationS: need(from, "duration_s", "number"),
  };
}

function attemptOf(value: unknown): Attempt {
  const from = payload(value, "attempt");
  let error: RunError | null = null;
  if (from["error"] != null) {
    const failure = payload(from["error"], "error");
    error = {
      message: need(failure, "message", "string"),
      code: need(failure, "code", "string"),
      retryable: failure["is_retryable"] === true,
    };
  }
  return {
    provider: need(from, "provider", "string"),
    model: need(from, "model", "string"),
    result: need(from, "result", "string"),
    begunS: need(from, "begun_s", "number"),
    endedS: need(from, "ended_s", "number"),
    error,
    usage: usageOf(from["usage"]),
  };
}

const OUTCOMES: readonly string[] = ["completed", "failed", "cancelled"] satisfies Outcome[];

function endOf(from: Payload): RunEvent {
  const outcome = need(from, "outcome", "string");
  if (!OUTCOMES.includes(outcome)) throw protocolError(`no outcome: ${outcome}`);
  if (outcome === "failed" && from["error"] == null) throw protocolError("the run failed, but not how");
  return {
    type: "run_ended",
    outcome: outcome as Outcome,
    finishReason: textOr(from, "finish_reason", null),
    cancelledBy: textOr(from, "cancelled_by", null),
    error:
      from["error"] == null
        ? null
        : {
            message: need(from, "error", "string"),
            code: need(from, "code", "string"),
            retryable: from["retryable"] === true,
          },
    usage: usageOf(from["usage"]),
    timings: timingsOf(from["timings"]),
    length: need(from, "length", "number"),
  };
}

/** Return the event that a block's data is. Throws a `ReaderError` when it is none. */
export function decodePayload(data: string): RunEvent {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch (error) {
    throw protocolError(`not JSON: ${data.slice(0, 80)} (${error})`);
  }
  const from = payload(parsed, "a block's data");
  const choice = index(from, "choice");
  // In this order: an end has a usage and a finish reason too.
  if ("content" in from) return { type: "text", text: need(from, "content", "string"), choice };
  if ("outcome" in from) return endOf(from);
  if ("run_id" in from) {
    return {
      type: "run_started",
      runId: need(from, "run_id", "string"),
      model: need(from, "model", "string"),
      provider: need(from, "provider", "string"),
      createdAt: need(from, "created_at", "number"),
    };
  }
  if ("reasoning" in from) return { type: "reasoning", text: need(from, "reasoning", "string"), choice };
  if ("refusal" in from) return { type: "refusal", text: need(from, "refusal", "string"), choice };
  if ("tool_call" in from) {
    const call = payload(from["tool_call"], "tool_call");
    return {
      type: "tool_call",
      index: index(call, "index"),
      id: textOr(call, "id", null),
      name: textOr(call, "name", null),
      arguments: textOr(call, "arguments", ""),
      choice,
    };
  }
  if ("filter" in from) {
    const found = payload(from["filter"], "filter");
    return {
      type: "filter",
      filter: {
        subject: need(found, "subject", "string"),
        annotations: payload(found["annotations"], "annotations"),
        choice: from["choice"] == null ? null : choice,
      },
    };
  }
  if ("attempt" in from) return { type: "attempt", attempt: attemptOf(from["attempt"]) };
  if ("usage" in from) {
    const usage = usageOf(from["usage"]);
    if (usage !== null) return { type: "usage", usage };
  } else if ("finish_reason" in from) {
    return {
      type: "choice_finished",
      choice,
      finishReason: need(from, "finish_reason", "string"),
      rawFinishReason: textOr(from, "raw_finish_reason", null),
    };
  }
  return { type: "unknown", payload: from };
}
