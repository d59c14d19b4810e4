/**
 * What a conversation shows at one moment.
 */
import { IDLE } from "../connection.ts";
import type { ConnectionInfo } from "../types.ts";
import type { Remedy } from "./ending.ts";
import { type ChatMessage, isOpen } from "./message.ts";
import { noteOf, type Words } from "./words.ts";

/**
 * `loading`: what was kept is being read; `ready`: a message can be sent; `waiting`: asked, and
 * nothing of the answer is there yet; `streaming`: the answer flows; `stopping`: the server has been
 * asked to stop. Whether the connection is well is another question: `connection` answers it.
 */
export type ChatStatus = "loading" | "ready" | "waiting" | "streaming" | "stopping";

/** Why the last answer ended early, and what helps. */
export interface ChatError {
  /** A sentence to show. */
  readonly message: string;
  readonly code: string;
  readonly remedy: Remedy | null;
}

export interface ConversationSnapshot {
  readonly messages: readonly ChatMessage[];
  readonly status: ChatStatus;
  readonly connection: ConnectionInfo;
  readonly error: ChatError | null;
  /** The server could not be told to stop; ask again. */
  readonly isStopUnheard: boolean;
  /** False when the storage refused: a reload would lose the conversation. */
  readonly isKept: boolean;
}

/** What there is before anything has been read: on a server, and while a page comes alive. */
export const EMPTY: ConversationSnapshot = {
  messages: [],
  status: "loading",
  connection: IDLE,
  error: null,
  isStopUnheard: false,
  isKept: true,
};

/** Return what the last message makes of the whole. */
export function statusOf(last: ChatMessage | undefined): ChatStatus {
  if (last === undefined || !isOpen(last)) return "ready";
  return last.status === "waiting" || last.status === "stopping" ? last.status : "streaming";
}

/** Return why the last answer ended early; null if it did not, or the reader wanted it so. */
export function errorOf(last: ChatMessage | undefined, words: Words): ChatError | null {
  if (last?.role !== "assistant" || last.ending === null) return null;
  const { status, code, remedy } = last.ending;
  if (status === "completed" || code === "stopped" || code === "unsent") return null;
  return { message: noteOf(last.ending, words), code, remedy };
}
