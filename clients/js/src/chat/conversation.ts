/**
 * A conversation: its messages, the answer in flight, what is kept of it, and its other tabs.
 *
 * A store for any interface: `subscribe`, `getSnapshot`, and the calls that change it. Listeners are
 * called at most once per frame. Making one does nothing to the world; `attach` begins, and the
 * function it returns lets go again without stopping anything on the server.
 *
 * Several tabs: each writes what it changes at once, and takes over what another one has written.
 * Each reads a run with a connection of its own; a hidden tab, which nobody reads, with none.
 */
import { IDLE } from "../connection.ts";
import { NEW_RUN } from "../reduce.ts";
import { cancelRun } from "../run.ts";
import type { ChatRequest, RunState } from "../types.ts";
import { Archive, type Asked, type StoredConversation } from "./archive.ts";
import type { Ending } from "./ending.ts";
import { Frames } from "./frames.ts";
import { LiveAnswer } from "./live_answer.ts";
import { merge } from "./merge.ts";
import { type AssistantMessage, type ChatMessage, isOpen, newAnswer, randomKey, requestMessages } from "./message.ts";
import type { ConversationOptions } from "./options.ts";
import { isHidden, listenToPage, watchLessMotion } from "./page.ts";
import { type ConversationSnapshot, EMPTY, errorOf, statusOf } from "./snapshot.ts";
import { browserStorage, memoryStorage } from "./storage.ts";
import { allWords } from "./words.ts";

const SAVE_INTERVAL_MS = 1_000;

export class Conversation {
  readonly id: string;
  #options: ConversationOptions;
  readonly #archive: Archive;
  readonly #frames = new Frames(
    () => this.#draw(),
    () => this.#nowMs(),
  );
  readonly #listeners = new Set<() => void>();
  #snapshot: ConversationSnapshot = EMPTY;
  #published: readonly ChatMessage[] = [];
  /** As they were when a message last came, ended or went; while one flows, this stays the same. */
  #outline: readonly ChatMessage[] = [];
  #asked: Asked | null = null;
  #live: LiveAnswer | null = null;
  #isKept = true;
  #isLoaded = false;
  #attached = 0;
  #detach = (): void => {};
  #savedAtMs = 0;
  #lessMotion: { readonly matches: boolean } | null = null;
  #savedRunId: string | null = null;

  constructor(options: ConversationOptions = {}) {
    this.id = options.id ?? "default";
    this.#options = options;
    const storage = options.storage === null ? memoryStorage() : (options.storage ?? browserStorage());
    this.#archive = new Archive(storage, this.id, (isKept) => this.#noteWrite(isKept));
    this.#load();
  }

  /** Take over options that may change: all but `id` and `storage`. They count from the next request on. */
  setOptions(options: ConversationOptions): void {
    this.#options = options;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The same object until something has changed, and something is drawn. */
  readonly getSnapshot = (): ConversationSnapshot => this.#snapshot;

  /** The messages, as an array that stays the same while an answer flows: for lists. */
  readonly getOutline = (): readonly ChatMessage[] => this.#outline;

  /** Go on with an answer in flight, and listen to the page and to other tabs. */
  attach(): () => void {
    this.#attached += 1;
    if (this.#attached === 1) this.#detach = this.#listen();
    // Later, so that who detaches at once again (StrictMode does) has asked the server nothing.
    queueMicrotask(() => this.#follow());
    let isAttached = true;
    return () => {
      if (!isAttached) return;
      isAttached = false;
      this.#attached -= 1;
      if (this.#attached === 0) this.#detach();
    };
  }

  /** Ask. Returns false, and does nothing, when there is no text or an answer is still open. */
  send(text: string): boolean {
    this.#adopt();
    if (text.trim() === "" || this.#snapshot.status !== "ready") return false;
    const createdAt = this.#nowMs();
    this.#ask([...this.#outline, { id: randomKey(), role: "user", text, createdAt }]);
    return true;
  }

  /** Ask the server to stop the answer. It ends when its outcome arrives; what is there stays. */
  stop(): void {
    this.#live?.stop();
  }

  /** Ask the last question again, in place of its answer. Returns false when there is none. */
  regenerate(): boolean {
    this.#adopt();
    const last = this.#outline.at(-1);
    if (last === undefined || this.#snapshot.status !== "ready") return false;
    this.#ask(last.role === "user" ? this.#outline : this.#outline.slice(0, -1));
    return true;
  }

  /** Do what helps the last answer: ask again, reconnect, or load it again. */
  retry(): boolean {
    const last = this.#outline.at(-1);
    if (last?.role !== "assistant" || this.#snapshot.status !== "ready") return false;
    switch (last.ending?.remedy ?? null) {
      case null:
        return false;
      case "ask":
        return this.regenerate();
      case "reconnect":
        return this.#reopen(last, last.run);
      case "reread":
        return this.#reopen(last, { ...NEW_RUN, runId: last.run.runId });
    }
  }

  /** Forget everything. An answer in flight is cancelled: nobody could come back to it. */
  clear(): void {
    const last = this.#outline.at(-1);
    if (this.#live !== null) this.#live.abandon();
    else if (last !== undefined && isOpen(last) && last.run.runId !== null)
      // Who can't be told will find out that nobody reads it.
      cancelRun(last.run.runId, this.#options).catch(() => {});
    this.#live = null;
    this.#set([], null);
  }

  // ---- Asking and following ----

  #ask(messages: readonly ChatMessage[]): void {
    const { model, body } = this.#options;
    const answer = newAnswer(this.#nowMs());
    const asked = { answerId: answer.id, key: randomKey(), model: model ?? null, body: body ?? {} };
    // Stored before it is asked: a reload in between joins the run.
    this.#set([...messages, answer], asked);
    this.#follow({ isAsker: true });
  }

  #reopen(last: AssistantMessage, run: RunState): boolean {
    const asked = this.#asked?.answerId === last.id ? this.#asked : null;
    if (run.runId === null && asked === null) return this.regenerate();
    const text = run.runId === null ? "" : last.run === run ? last.text : "";
    const answer: AssistantMessage = { ...last, run, text, status: "waiting", ending: null };
    this.#set([...this.#outline.slice(0, -1), answer], asked);
    this.#follow({ isAsker: true });
    return true;
  }

  /** Read the open answer, if there is one and nobody reads it here. */
  #follow({ isAsker = false } = {}): void {
    const message = this.#outline.at(-1);
    if (message === undefined || !isOpen(message) || this.#live !== null) return;
    if (!isAsker && (this.#attached === 0 || isHidden())) return;
    const asked = this.#asked;
    if (message.run.runId === null && asked?.answerId !== message.id) return this.#giveUp(message);
    this.#live = new LiveAnswer({
      message,
      idempotencyKey: asked?.key ?? "",
      request: () => this.#request(asked),
      run: this.#options,
      changed: () => this.#noteChange(),
    });
    this.#draw();
  }

  #request(asked: Asked | null): ChatRequest {
    const messages = requestMessages(this.#outline.slice(0, -1));
    const model = asked?.model == null ? {} : { model: asked.model };
    const request: ChatRequest = { ...asked?.body, ...model, messages };
    return this.#options.prepareRequest?.(request) ?? request;
  }

  /** An answer that was open when its page went away, and that nothing is known of. */
  #giveUp(message: AssistantMessage): void {
    const ending: Ending = { status: "lost", code: "unasked", said: null, remedy: "ask" };
    this.#set([...this.#outline.slice(0, -1), { ...message, status: "lost", ending }], null);
  }

  #letGo(): void {
    this.#live?.leave();
    this.#live = null;
  }

  // ---- What changes, and when it is drawn ----

  #noteChange(): void {
    const live = this.#live;
    if (live === null) return;
    const nowMs = this.#nowMs();
    // That the run is known is kept at once: from here on nothing has to be started again.
    if (live.run.runId !== this.#savedRunId || nowMs - this.#savedAtMs >= SAVE_INTERVAL_MS) this.#saveProgress();
    // An end is not held back.
    if (live.ending === null) this.#frames.request();
    else this.#frames.hurry();
  }

  /** Bring the snapshot up to date, and tell the listeners if it is another one. */
  #draw(): void {
    const live = this.#live;
    if (live === null) return this.#publish(null);
    const message = live.show(this.#nowMs(), this.#isPaced());
    if (live.ending !== null) return this.#settle(message);
    if (live.isBehind) this.#frames.request();
    this.#publish(message);
  }

  #settle(message: AssistantMessage): void {
    this.#letGo();
    this.#outline = [...this.#outline.slice(0, -1), message];
    const news = this.#archive.readNews();
    const last = news?.messages.at(-1);
    // Another tab has seen the end first, and maybe asked the next question already.
    if (news !== null && !(last?.id === message.id && isOpen(last))) return this.#take(news);
    const isJoinable = message.status === "lost" && message.run.runId === null;
    this.#set(this.#outline, isJoinable ? this.#asked : null);
  }

  /** Another message, another end: kept at once, drawn at once. */
  #set(messages: readonly ChatMessage[], asked: Asked | null): void {
    this.#outline = messages;
    this.#asked = asked;
    this.#archive.write({ messages, asked });
    this.#publish(null);
  }

  /** Tell the listeners, if something is another than before. `live` stands for the last message. */
  #publish(live: AssistantMessage | null): void {
    const before = this.#snapshot;
    const last = live ?? this.#outline.at(-1);
    const isSame = this.#published === this.#outline && before.messages.at(-1) === last;
    const next: ConversationSnapshot = {
      messages: isSame ? before.messages : withLast(this.#outline, live),
      status: this.#isLoaded ? statusOf(last) : "loading",
      connection: this.#live?.connection ?? IDLE,
      error: isSame ? before.error : errorOf(last, allWords(this.#options.words)),
      isStopUnheard: this.#live?.isStopUnheard ?? false,
      isKept: this.#isKept,
    };
    this.#published = this.#outline;
    if (isEqual(before, next)) return;
    this.#snapshot = next;
    for (const listener of [...this.#listeners]) listener();
  }

  #isPaced(): boolean {
    if (isHidden()) return false;
    this.#lessMotion ??= watchLessMotion();
    return this.#options.isPaced ?? !this.#lessMotion.matches;
  }

  #nowMs(): number {
    return this.#options.platform?.nowMs?.() ?? Date.now();
  }

  // ---- What is kept, and other tabs ----

  #load(): void {
    const stored = this.#archive.read();
    if (stored instanceof Promise) void stored.then((late) => this.#takeLoaded(late));
    else this.#takeLoaded(stored);
  }

  #takeLoaded({ messages, asked }: StoredConversation): void {
    this.#isLoaded = true;
    this.#outline = messages;
    this.#asked = asked;
    this.#publish(null);
    this.#follow();
  }

  #adopt(): void {
    const news = this.#isLoaded ? this.#archive.readNews() : null;
    if (news !== null) this.#take(news);
    this.#follow();
  }

  /** Take over what another tab has written. */
  #take({ messages, asked }: StoredConversation): void {
    this.#outline = merge(this.#outline, messages, this.#live?.id ?? null);
    this.#asked = asked;
    const last = this.#outline.at(-1);
    const isStillOpen = last?.id === this.#live?.id && last !== undefined && isOpen(last);
    if (!isStillOpen) this.#letGo();
    this.#draw();
  }

  #listen(): () => void {
    const unwatch = this.#archive.watch(() => this.#adopt());
    const unlisten = listenToPage({
      left: () => this.#saveProgress(),
      seen: () => this.#adopt(),
      changed: () => this.#frames.noteVisibility(),
    });
    return () => {
      unwatch();
      unlisten();
      this.#pause();
    };
  }

  /** Nobody looks any more: stop reading, and keep what there is. */
  #pause(): void {
    this.#saveProgress();
    this.#frames.cancel();
    if (this.#live === null) return;
    const message = this.#live.show(this.#nowMs(), false);
    if (message.ending !== null) return this.#settle(message);
    this.#letGo();
    this.#set([...this.#outline.slice(0, -1), message], this.#asked);
  }

  #saveProgress(): void {
    if (this.#live === null) return;
    this.#savedAtMs = this.#nowMs();
    this.#savedRunId = this.#live.run.runId;
    this.#archive.writeProgress(this.#live.id, this.#live.run);
  }

  #noteWrite(isKept: boolean): void {
    if (this.#isKept === isKept) return;
    this.#isKept = isKept;
    this.#frames.request();
  }
}

function withLast(messages: readonly ChatMessage[], last: AssistantMessage | null): readonly ChatMessage[] {
  return last === null || last === messages.at(-1) ? messages : [...messages.slice(0, -1), last];
}

function isEqual(one: ConversationSnapshot, other: ConversationSnapshot): boolean {
  return (Object.keys(one) as (keyof ConversationSnapshot)[]).every((key) => one[key] === other[key]);
}
