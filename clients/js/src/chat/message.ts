/**
 * A message: what a person asked, or an answer as far as it has come.
 *
 * Immutable values: a message that has not changed is the same object, so that whoever draws it can
 * tell at a glance. Knows no network, storage or clock.
 */
import { NEW_RUN } from "../reduce.ts";
import type { Message, RunState } from "../types.ts";
import type { EndedStatus, Ending } from "./ending.ts";

export interface UserMessage {
  readonly id: string;
  readonly role: "user";
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/**
 * `waiting`: nothing of the answer is there yet; `streaming`: it flows; `stopping`: the server has
 * been asked to stop. The others are ends.
 */
export type AnswerStatus = "waiting" | "streaming" | "stopping" | EndedStatus;

export interface AssistantMessage {
  readonly id: string;
  readonly role: "assistant";
  /** What to show now. While it flows, this may be a moment behind `run.text`. */
  readonly text: string;
  readonly status: AnswerStatus;
  /** Why it ended; null until it has. */
  readonly ending: Ending | null;
  /** Everything that is known of the run: model, reasoning, tool calls, usage, cursor. */
  readonly run: RunState;
  readonly createdAt: number;
}

export type ChatMessage = UserMessage | AssistantMessage;

/** Return the text that answers; a refusal comes in place of an answer. */
export function textOf(run: RunState): string {
  return run.text !== "" ? run.text : run.refusal;
}

/** Return an answer of which nothing is there yet. */
export function newAnswer(createdAt: number): AssistantMessage {
  const [role, status] = ["assistant", "waiting"] as const;
  return { id: randomKey(), role, text: "", status, ending: null, run: NEW_RUN, createdAt };
}

export function isOpen(message: ChatMessage): message is AssistantMessage {
  return message.role === "assistant" && message.ending === null;
}

/**
 * Return what was said, for the next request.
 *
 * An answer that is still open says nothing yet. A question that was turned down for good is left
 * out with its answer: it would take the next one with it.
 */
export function requestMessages(messages: readonly ChatMessage[]): Message[] {
  const said: Message[] = [];
  for (const message of messages) {
    if (message.role === "user") {
      said.push({ role: "user", content: message.text });
      continue;
    }
    const content = message.ending === null ? "" : textOf(message.run);
    if (content !== "") said.push({ role: "assistant", content });
    else if (message.status === "failed" && message.ending?.remedy === null) said.pop();
  }
  return said;
}

/** Return a name that nobody else has: for a message, or to start a run once. */
export function randomKey(): string {
  // crypto.randomUUID exists on HTTPS and localhost only; a page may be read over a home network.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
