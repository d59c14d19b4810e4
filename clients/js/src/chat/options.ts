/**
 * What a conversation is made with.
 */
import type { ChatRequest, RunOptions } from "../types.ts";
import type { ChatStorage } from "./storage.ts";
import type { SomeWords } from "./words.ts";

export interface ConversationOptions extends Omit<RunOptions, "signal"> {
  /** Which conversation; those with the same id are the same one. Default: `default`. */
  id?: string;
  /** Where it is kept; default: this browser's localStorage. Null keeps nothing. */
  storage?: ChatStorage | null;
  /** The model to ask; default: the server's. */
  model?: string;
  /** More fields of the request: `temperature`, `max_tokens` … */
  body?: Omit<ChatRequest, "messages" | "model">;
  /**
   * Change the request before it is made: to add a system message, or to leave out what was said
   * long ago. The same conversation must give the same request, or a reload can't join its run.
   */
  prepareRequest?: (request: ChatRequest) => ChatRequest;
  /** Show text as it arrives, in bursts. Default: evenly, except to who wants reduced motion. */
  isPaced?: boolean;
  /** Other words than the English ones. */
  words?: SomeWords;
}
