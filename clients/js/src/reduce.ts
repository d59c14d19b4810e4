/**
 * What a run is after some events: the fold.
 *
 * Pure; takes a batch at a time and copies once for all of it. A text grows by plain
 * concatenation, which engines keep as a rope: each delta costs the same, however long the text is.
 */
import type { Choice, RunEvent, RunState, ToolCall } from "./types.ts";

type Draft<Value> = { -readonly [Key in keyof Value]: Value[Key] };

const EMPTY_CHOICE: Choice = { text: "", reasoning: "", refusal: "", toolCalls: [], finishReason: null };

const EMPTY_CALL: ToolCall = { id: null, name: null, arguments: "" };

/** A run of which nothing is known yet. */
export const NEW_RUN: RunState = {
  ...EMPTY_CHOICE,
  runId: null,
  model: null,
  provider: null,
  createdAt: null,
  cursor: null,
  receivedLength: 0,
  otherChoices: [],
  attempts: [],
  filters: [],
  usage: null,
  outcome: null,
  cancelledBy: null,
  error: null,
  timings: null,
  length: null,
};

const SURROGATE_PAIR = /[\ud800-\udbff][\udc00-\udfff]/g;

/** Return a text's length in code points, as `[...text].length` without the array. */
export function codePointLength(text: string): number {
  return text.replace(SURROGATE_PAIR, "_").length;
}

/**
 * Return a copy of the list that has a place for `index`, and a copy of what stands there. A
 * provider may skip an index; nobody should find a hole.
 */
function withPlace<Item extends object>(list: readonly Item[], index: number, empty: Item): [Item[], Draft<Item>] {
  const copy = [...list];
  while (copy.length <= index) copy.push(empty);
  const item = (copy[index] = { ...(copy[index] as Item) });
  return [copy, item];
}

/** Return the choice's draft: the run's own for the first, a copy in `otherChoices` for another. */
function choiceOf(run: Draft<RunState>, number: number): Draft<Choice> {
  if (number === 0) return run;
  const [others, choice] = withPlace(run.otherChoices, number - 1, EMPTY_CHOICE);
  run.otherChoices = others;
  return choice;
}

function apply(run: Draft<RunState>, event: RunEvent): void {
  switch (event.type) {
    case "text":
      run.receivedLength += codePointLength(event.text);
      choiceOf(run, event.choice).text += event.text;
      return;
    case "reasoning":
    case "refusal":
      choiceOf(run, event.choice)[event.type] += event.text;
      return;
    case "tool_call": {
      const choice = choiceOf(run, event.choice);
      const [calls, call] = withPlace(choice.toolCalls, event.index, EMPTY_CALL);
      // The first id and name count, and empty ones are none.
      call.id ||= event.id || null;
      call.name ||= event.name || null;
      call.arguments += event.arguments;
      choice.toolCalls = calls;
      return;
    }
    case "choice_finished":
      choiceOf(run, event.choice).finishReason = event.finishReason;
      return;
    case "attempt":
      run.attempts = [...run.attempts, event.attempt];
      return;
    case "filter":
      run.filters = [...run.filters, event.filter];
      return;
    case "usage":
      run.usage = event.usage;
      return;
    case "run_started":
    case "run_ended": {
      // The fields have the same names, and an end without a usage keeps the one reported.
      const { type: _, ...fields } = { usage: null, ...event };
      Object.assign(run, fields, { usage: fields.usage ?? run.usage });
      return;
    }
    case "unknown":
      return;
  }
}

/** Return the run after the events. `cursor` is the id of the last one's block, as it came. */
export function reduce(run: RunState, events: readonly RunEvent[], cursor: string | null = run.cursor): RunState {
  if (events.length === 0 && cursor === run.cursor) return run;
  const draft = { ...run, cursor };
  for (const event of events) apply(draft, event);
  return draft;
}
