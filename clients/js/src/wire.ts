/**
 * The native wire: a block's data → the event that it brings.
 *
 * PROTOCOL.md describes it. Which payload it is, its keys tell; unknown keys are no error. What the
 * fold relies on is checked, and an error when it is wrong: better no answer than half of one.
 * Knows no transport.
 */
import { protocolError } from "./errors.ts";
import type { Attempt, Filter, RunEvent, Timings, Usage } from "./types.ts";

/** The data of the last block: closed, no more data ever. */
export const DONE = "[DONE]";

/** What comes from the wire may be anything. */
type Fields = Record<string, any>;

/** Lists are filled up to an index; no model has so many choices or calls. */
const MAX_INDEX = 1023;

const isText = (value: unknown) => typeof value === "string";
const isNumber = (value: unknown) => typeof value === "number";
const isObject = (value: unknown) => Object(value) === value && !Array.isArray(value);
const isIndex = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_INDEX;
const isOutcome = (value: unknown) => ["completed", "failed", "cancelled"].includes(value as string);

/** Return the field. Throws a `ReaderError` when it is not as it should be. */
function field(from: Fields, name: string, isRight: (value: unknown) => boolean) {
  const value = from[name];
  if (!isRight(value)) throw protocolError(`${name} can't be ${JSON.stringify(value)}`);
  return value;
}

/** Return the fields under our names: `input_tokens` is `inputTokens`. */
function renamed(from: Fields): Fields {
  return Object.fromEntries(
    Object.entries(from).map(([name, value]) => [
      name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}

const NO_USAGE: Usage = {
  inputTokens: null,
  outputTokens: null,
  totalTokens: null,
  cachedInputTokens: null,
  reasoningTokens: null,
};

const usageOf = (from: Fields): Usage => ({ ...NO_USAGE, ...renamed(from) });

function attemptOf(from: Fields): Attempt {
  const { error, usage, ...rest } = from;
  return {
    ...(renamed(rest) as Attempt),
    error: error ? { message: error.message, code: error.code, retryable: error.is_retryable === true } : null,
    usage: usage ? usageOf(usage) : null,
  };
}

function endOf(from: Fields): RunEvent {
  const outcome = field(from, "outcome", isOutcome);
  const { finishReason = null, cancelledBy = null, code, retryable, usage, timings } = renamed(from);
  return {
    type: "run_ended",
    outcome,
    finishReason,
    cancelledBy,
    error: outcome === "failed" ? { message: field(from, "error", isText), code, retryable: retryable === true } : null,
    usage: usage ? usageOf(usage) : null,
    timings: timings ? (renamed(timings) as Timings) : null,
    length: field(from, "length", isNumber),
  };
}

/** Return the event that a block's data is. Throws a `ReaderError` when it is none. */
export function decodePayload(data: string): RunEvent {
  let from!: Fields;
  try {
    from = JSON.parse(data);
  } catch {
    // The next line tells.
  }
  if (!isObject(from)) throw protocolError(`no JSON object: ${data.slice(0, 80)}`);
  const choice = field({ choice: from["choice"] ?? 0 }, "choice", isIndex);
  // In this order: an end has a usage and a finish reason too.
  if ("content" in from) return { type: "text", text: field(from, "content", isText), choice };
  if ("outcome" in from) return endOf(from);
  if ("run_id" in from) {
    const { model, provider, createdAt } = renamed(from);
    return { type: "run_started", runId: field(from, "run_id", isText), model, provider, createdAt };
  }
  for (const type of ["reasoning", "refusal"] as const) {
    if (type in from) return { type, text: field(from, type, isText), choice };
  }
  if ("tool_call" in from) {
    const call = field(from, "tool_call", isObject);
    const { id = null, name = null } = call;
    const at = field(call, "index", isIndex);
    return { type: "tool_call", index: at, id, name, arguments: field(call, "arguments", isText), choice };
  }
  if ("filter" in from) {
    const filter = { ...(field(from, "filter", isObject) as Filter), choice: from["choice"] ?? null };
    return { type: "filter", filter };
  }
  if ("attempt" in from) return { type: "attempt", attempt: attemptOf(field(from, "attempt", isObject)) };
  if ("usage" in from) return { type: "usage", usage: usageOf(field(from, "usage", isObject)) };
  if ("finish_reason" in from) {
    const { finishReason, rawFinishReason = null } = renamed(from);
    return { type: "choice_finished", choice, finishReason, rawFinishReason };
  }
  return { type: "unknown", payload: from };
}
