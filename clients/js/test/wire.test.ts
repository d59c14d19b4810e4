// Each payload is one event; an unknown one is none of our business, a wrong one an error.
import { expect, test } from "vitest";

import type { RunEvent } from "../src/types.ts";
import { decodePayload } from "../src/wire.ts";

const usage = { inputTokens: 9, outputTokens: 2, totalTokens: null, cachedInputTokens: null, reasoningTokens: null };

const payloads: [Record<string, unknown>, RunEvent][] = [
  [
    { run_id: "r1", model: "m", provider: "p", created_at: 1.5 },
    { type: "run_started", runId: "r1", model: "m", provider: "p", createdAt: 1.5 },
  ],
  [{ content: "Hel" }, { type: "text", text: "Hel", choice: 0 }],
  [{ content: "lo", choice: 2 }, { type: "text", text: "lo", choice: 2 }],
  [{ reasoning: "hm" }, { type: "reasoning", text: "hm", choice: 0 }],
  [{ refusal: "no" }, { type: "refusal", text: "no", choice: 0 }],
  [
    { tool_call: { index: 1, id: "c1", name: "look", arguments: "{" } },
    { type: "tool_call", index: 1, id: "c1", name: "look", arguments: "{", choice: 0 },
  ],
  [
    { tool_call: { index: 0, arguments: "}" }, choice: 1 },
    { type: "tool_call", index: 0, id: null, name: null, arguments: "}", choice: 1 },
  ],
  [
    { filter: { subject: "prompt", annotations: { hate: "safe" } } },
    { type: "filter", filter: { subject: "prompt", annotations: { hate: "safe" }, choice: null } },
  ],
  [
    { filter: { subject: "completion", annotations: {} }, choice: 0 },
    { type: "filter", filter: { subject: "completion", annotations: {}, choice: 0 } },
  ],
  [{ usage: { input_tokens: 9, output_tokens: 2 } }, { type: "usage", usage }],
  [
    { choice: 0, finish_reason: "stop", raw_finish_reason: "eos" },
    { type: "choice_finished", choice: 0, finishReason: "stop", rawFinishReason: "eos" },
  ],
  [
    {
      attempt: {
        provider: "p",
        model: "m",
        result: "failed",
        begun_s: 0,
        ended_s: 0.5,
        error: { code: "rate_limited", message: "Too many.", is_retryable: true },
      },
    },
    {
      type: "attempt",
      attempt: {
        provider: "p",
        model: "m",
        result: "failed",
        begunS: 0,
        endedS: 0.5,
        error: { code: "rate_limited", message: "Too many.", retryable: true },
        usage: null,
      },
    },
  ],
  [
    {
      outcome: "completed",
      finish_reason: "stop",
      usage: { input_tokens: 9, output_tokens: 2 },
      length: 5,
      timings: { first_progress_s: null, duration_s: 1 },
    },
    {
      type: "run_ended",
      outcome: "completed",
      finishReason: "stop",
      cancelledBy: null,
      error: null,
      usage,
      timings: { firstProgressS: null, durationS: 1 },
      length: 5,
    },
  ],
  [
    { error: "It broke.", code: "stalled", retryable: true, outcome: "failed", finish_reason: null, usage: null, length: 0 },
    {
      type: "run_ended",
      outcome: "failed",
      finishReason: null,
      cancelledBy: null,
      error: { message: "It broke.", code: "stalled", retryable: true },
      usage: null,
      timings: null,
      length: 0,
    },
  ],
  [{ weather: "fine" }, { type: "unknown", payload: { weather: "fine" } }],
];

test.each(payloads)("%j", (payload, expected) => {
  expect(decodePayload(JSON.stringify(payload))).toEqual(expected);
  expect(decodePayload(JSON.stringify({ ...payload, from_a_newer_server: [1] }))).toMatchObject(
    expected.type === "unknown" ? {} : expected,
  );
});

test.each([
  "",
  "{",
  "[]",
  "null",
  '"text"',
  '{"content":1}',
  '{"content":null}',
  '{"content":"a","choice":-1}',
  '{"content":"a","choice":0.5}',
  '{"content":"a","choice":1e9}',
  '{"run_id":1}',
  '{"tool_call":"f"}',
  '{"outcome":"perhaps","length":1}',
  '{"outcome":"completed"}',
  '{"outcome":"failed","length":1}',
])("%s is an error", (data) => {
  expect(() => decodePayload(data)).toThrow(expect.objectContaining({ code: "protocol_error" }));
});
