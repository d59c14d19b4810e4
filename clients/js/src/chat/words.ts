/**
 * Every word that a reader sees or hears, in English, and how others take their place.
 */
import type { ConnectionInfo } from "../types.ts";
import type { Ending, Remedy } from "./ending.ts";

export interface Words {
  readonly chat: string;
  readonly conversation: string;
  readonly you: string;
  readonly answer: string;
  readonly message: string;
  readonly placeholder: string;
  readonly hint: string;
  readonly send: string;
  readonly stop: string;
  readonly stopping: string;
  readonly latest: string;
  readonly welcome: string;
  readonly waiting: string;
  readonly thinking: string;
  readonly reasoning: string;
  readonly complete: string;
  readonly code: string;
  readonly notKept: string;
  readonly stopUnheard: string;
  readonly reconnecting: string;
  readonly tryingAgain: (seconds: number) => string;
  readonly remedies: Readonly<Record<Remedy, string>>;
  /**
   * Why an answer ended, by the code of its ending; "" says nothing. Where a code is not here, the
   * sentence of the server is shown.
   */
  readonly endings: Readonly<Record<string, string>>;
  /** For a code that is not in `endings`, of an ending that comes without a sentence. */
  readonly noReason: string;
}

export const ENGLISH: Words = {
  chat: "Chat",
  conversation: "Conversation",
  you: "You",
  answer: "Answer",
  message: "Message",
  placeholder: "Ask anything",
  hint: "Enter sends, Shift and Enter starts a new line, Escape stops an answer",
  send: "Send",
  stop: "Stop",
  stopping: "Stopping",
  latest: "Jump to latest",
  welcome: "What would you like to know?",
  waiting: "Waiting for the answer",
  thinking: "Thinking",
  reasoning: "What the model thought",
  complete: "End of the answer.",
  code: "Code.",
  notKept: "This browser has no room to keep the conversation: a reload will lose it.",
  stopUnheard: "The server did not hear the stop. Press it again.",
  reconnecting: "Reconnecting…",
  tryingAgain: (seconds) => `Trying again in ${seconds} s.`,
  remedies: { ask: "Try again", reconnect: "Reconnect", reread: "Load again" },
  endings: {
    complete: "",
    no_text: "The model gave no text.",
    length: "The answer ends here because it reached its length limit.",
    content_filter: "A content filter ended the answer here.",
    tool_calls: "The model asked for a tool, which is not offered here.",
    stopped: "Stopped.",
    unsent: "Stopped before the server had the question.",
    shutdown: "The server was shut down before the answer was complete.",
    abandoned: "The server stopped the answer because nobody was reading it.",
    unknown_run: "The server no longer has the rest of this answer.",
    run_trimmed: "The server no longer has the rest of this answer.",
    records_lost: "The server has lost a part of this answer. What is left can be loaded again.",
  },
  noReason: "The answer ended early, and the server did not say why.",
};

/** Some of the words, in place of the English ones. */
export type SomeWords = Partial<Omit<Words, "remedies" | "endings">> & {
  readonly remedies?: Partial<Words["remedies"]>;
  readonly endings?: Words["endings"];
};

/** Return all words: those given, and English for the rest. */
export function allWords(some: SomeWords = {}): Words {
  return {
    ...ENGLISH,
    ...some,
    remedies: { ...ENGLISH.remedies, ...some.remedies },
    endings: { ...ENGLISH.endings, ...some.endings },
  };
}

/** Return why an answer ended, as a sentence; "" when there is nothing to say. */
export function noteOf(ending: Ending, words: Words = ENGLISH): string {
  return words.endings[ending.code] ?? sentence(ending.said ?? words.noReason);
}

/** Return what is wrong with the connection, and what comes of it; "" while all is well. */
export function connectionNotice(
  connection: ConnectionInfo,
  nowMs: number,
  words: Words = ENGLISH,
): string {
  if (connection.problem === null || connection.state === "closed") return "";
  const seconds = Math.round(((connection.retryAtMs ?? nowMs) - nowMs) / 1_000);
  const next = seconds >= 2 ? words.tryingAgain(seconds) : words.reconnecting;
  return `${sentence(connection.problem)} ${next}`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/[^.!?…。！？]$/u, "$&.");
}
