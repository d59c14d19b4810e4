/**
 * What the inspector says of a run in words: label and value, in the order of their telling.
 */
import type { RunState, Usage } from "../src/types.ts";
import { seconds } from "./Chart.tsx";
import type { Trace } from "./trace.ts";

export type RunFacts = Pick<
  RunState,
  "runId" | "model" | "provider" | "cursor" | "outcome" | "finishReason" | "cancelledBy" | "error" | "usage" | "timings"
>;

export type Fact = readonly [label: string, value: string];

export function factsOf(trace: Trace | null, run: RunFacts | null): Fact[] {
  const facts: Fact[] = [["Outcome", outcomeOf(trace, run)]];
  if (run?.finishReason) facts.push(["Finish reason", run.finishReason]);
  if (trace !== null) {
    facts.push(
      ["First text", trace.firstTextAtMs === null ? "not yet" : seconds(trace.firstTextAtMs - trace.begunAtMs)],
      ["Longest gap", trace.longestGapMs === 0 ? "none" : seconds(trace.longestGapMs)],
    );
  }
  if (run?.timings) facts.push(["Duration", `${seconds(run.timings.durationS * 1000)} on the server`]);
  if (trace !== null) {
    const arrived = trace.arrived.at(-1)?.value ?? 0;
    facts.push(
      ["Characters", arrived.toLocaleString("en")],
      ["Reconnects", String(trace.interruptionCount)],
      ["Heartbeats", String(trace.heartbeats)],
    );
  }
  if (run?.usage) facts.push(["Usage", usageOf(run.usage)]);
  if (run?.model) facts.push(["Model", run.provider ? `${run.model}, from ${run.provider}` : run.model]);
  const cursor = run?.cursor ?? trace?.cursor;
  if (cursor) facts.push(["Last id", cursor]);
  if (run?.runId) facts.push(["Run", run.runId]);
  return facts;
}

function outcomeOf(trace: Trace | null, run: RunFacts | null): string {
  switch (run?.outcome) {
    case undefined:
    case null:
      return trace?.failure ?? "under way";
    case "completed":
      return "completed";
    case "cancelled":
      return run.cancelledBy ? `cancelled by ${run.cancelledBy}` : "cancelled";
    case "failed":
      return run.error ? `failed: ${run.error.code}` : "failed";
  }
}

function usageOf({ inputTokens, outputTokens, cachedInputTokens }: Usage): string {
  const of = (count: number | null) => (count === null ? "?" : count.toLocaleString("en"));
  const cached = cachedInputTokens ? ` (${of(cachedInputTokens)} cached)` : "";
  return `${of(inputTokens)} tokens in${cached}, ${of(outputTokens)} out`;
}
