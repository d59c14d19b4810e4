// What the inspector says of a run in words.
import { expect, test } from "vitest";
import { factsOf, type RunFacts } from "../../page/facts.ts";

const RUN: RunFacts = {
  runId: "r1",
  model: "gpt-4o",
  provider: "azure",
  cursor: "61.2",
  outcome: "completed",
  finishReason: "stop",
  cancelledBy: null,
  error: null,
  usage: { inputTokens: 1200, outputTokens: 7, totalTokens: null, cachedInputTokens: null, reasoningTokens: null },
  timings: { firstProgressS: 0.2, durationS: 12.4 },
};
const factsBy = (run: RunFacts | null) => Object.fromEntries(factsOf(null, run));

test("a run's end is told with its reason, its usage, and the last id as it came", () => {
  expect(factsBy(RUN)).toEqual({
    Outcome: "completed",
    "Finish reason": "stop",
    Duration: "12.4 s on the server",
    Usage: "1,200 tokens in, 7 out",
    Model: "gpt-4o, from azure",
    "Last id": "61.2",
    Run: "r1",
  });
});

test("an end that is none is not called one", () => {
  expect(factsBy({ ...RUN, outcome: null })["Outcome"]).toBe("under way");
  expect(factsBy({ ...RUN, outcome: "cancelled", cancelledBy: "user" })["Outcome"]).toBe("cancelled by user");
  const error = { message: "It broke off.", code: "truncated", retryable: true };
  expect(factsBy({ ...RUN, outcome: "failed", error })["Outcome"]).toBe("failed: truncated");
});
