/**
 * A conversation as texts in a storage.
 *
 * Two values. The conversation is written with each question and each end. The progress is that of
 * the open answer, rewritten often; its text and its cursor are one value, so that no crash can set
 * them against each other. What cannot be read is as good as not there.
 */
import { parseCursor } from "../cursor.ts";
import { NEW_RUN } from "../reduce.ts";
import type { RunState } from "../types.ts";
import type { Ending } from "./ending.ts";
import { type AssistantMessage, type ChatMessage, textOf } from "./message.ts";
import type { ChatStorage } from "./storage.ts";

/** How an answer that is still open was asked for: enough to ask again, and join it. */
export interface Asked {
  readonly answerId: string;
  /** The idempotency key: kept before the request is made, so that a lost one can be repeated. */
  readonly key: string;
  readonly model: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface StoredConversation {
  readonly messages: readonly ChatMessage[];
  readonly asked: Asked | null;
}

type StoredMessage =
  | { id: string; role: "user"; text: string; createdAt: number }
  | { id: string; role: "assistant"; ending: Ending | null; run: RunState; createdAt: number };

interface StoredProgress {
  readonly answerId: string;
  readonly run: RunState;
}

const VERSION = 2;
const EMPTY: StoredConversation = { messages: [], asked: null };

export class Archive {
  readonly #storage: ChatStorage;
  readonly #name: string;
  readonly #noteWrite: (isKept: boolean) => void;
  /** What the storage has, as far as this tab knows. */
  #known: string | null = null;
  readonly #refused = new Set<string>();

  /** `noteWrite` hears after every write whether all that was written last is kept. */
  constructor(storage: ChatStorage, id: string, noteWrite: (isKept: boolean) => void) {
    this.#storage = storage;
    this.#name = `tickertape.${VERSION}.chat.${id}`;
    this.#noteWrite = noteWrite;
  }

  /** Return what is stored, as a promise only if the storage answers with one. */
  read(): StoredConversation | Promise<StoredConversation> {
    try {
      const texts = [this.#storage.read(this.#name), this.#storage.read(this.#progressName)] as const;
      const [conversation, progress] = texts;
      if (isText(conversation) && isText(progress)) return this.#decode(conversation, progress);
      return Promise.all(texts).then((both) => this.#decode(...both), () => EMPTY);
    } catch {
      // A browser that blocks storage throws: nothing is kept, and the first write says so.
      return EMPTY;
    }
  }

  /**
   * Return what is stored if another tab may have changed it; null if not, or if that is not known
   * at once. What this tab could not write is no news from another one.
   */
  readNews(): StoredConversation | null {
    if (this.#storage.watch === undefined) return null;
    const known = this.#known;
    const isRefused = this.#refused.has(this.#name);
    const stored = this.read();
    if (stored instanceof Promise) return null;
    // While an answer is open its progress is news, too.
    return this.#known === known && (isRefused || stored.asked === null) ? null : stored;
  }

  write({ messages, asked }: StoredConversation): void {
    const text = messages.length === 0 ? null : JSON.stringify({ messages: messages.map(encode), asked });
    const name = this.#name;
    if (text === this.#known && !this.#refused.has(name)) return;
    this.#write(name, text);
    // Where the storage still has the answer as open, its progress is all there is of it.
    if (this.#refused.has(name)) return;
    this.#known = text;
    if (asked === null) this.#write(this.#progressName, null);
  }

  writeProgress(answerId: string, run: RunState): void {
    const progress: StoredProgress = { answerId, run };
    this.#write(this.#progressName, JSON.stringify(progress));
  }

  /** Call `changed` when another tab has written the conversation. */
  watch(changed: () => void): () => void {
    return this.#storage.watch?.(this.#name, changed) ?? (() => {});
  }

  get #progressName(): string {
    return `${this.#name}.progress`;
  }

  #decode(text: string | null, progressText: string | null): StoredConversation {
    this.#known = text;
    const stored = parse<{ messages: StoredMessage[]; asked: Asked | null }>(text);
    if (!Array.isArray(stored?.messages)) return EMPTY;
    const progress = parse<StoredProgress>(progressText);
    return {
      messages: stored.messages.map((message) => decode(message, progress)),
      asked: stored.asked ?? null,
    };
  }

  #write(name: string, text: string | null): void {
    try {
      const written = this.#storage.write(name, text);
      if (written === undefined) this.#note(name, true);
      else written.then(() => this.#note(name, true), () => this.#note(name, false));
    } catch {
      this.#note(name, false);
    }
  }

  #note(name: string, isKept: boolean): void {
    if (isKept) this.#refused.delete(name);
    else this.#refused.add(name);
    this.#noteWrite(this.#refused.size === 0);
  }
}

function isText(value: string | null | Promise<string | null>): value is string | null {
  return value === null || typeof value === "string";
}

function parse<Value>(text: string | null): Value | null {
  if (text === null) return null;
  try {
    return JSON.parse(text) as Value;
  } catch {
    return null;
  }
}

function encode(message: ChatMessage): StoredMessage {
  if (message.role === "user") return message;
  const { id, role, ending, run, createdAt } = message;
  return { id, role, ending, run, createdAt };
}

function decode(stored: StoredMessage, progress: StoredProgress | null): ChatMessage {
  if (stored.role === "user") return stored;
  const isOpen = stored.ending === null;
  const run = decodeRun(isOpen && progress?.answerId === stored.id ? progress.run : stored.run);
  const text = textOf(run);
  const status = stored.ending?.status ?? (text === "" ? "waiting" : "streaming");
  const message: AssistantMessage = { ...stored, run, text, status };
  return message;
}

/** What an older version did not write is as in a new run. Without a cursor that fits, text is worth nothing. */
function decodeRun(stored: RunState): RunState {
  const run = { ...NEW_RUN, ...stored };
  const fits = run.outcome !== null || (run.cursor !== null && parseCursor(run.cursor) !== null);
  return fits ? run : { ...NEW_RUN, runId: run.runId };
}
