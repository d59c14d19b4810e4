/**
 * Follows one run to its end, from one connection after the other.
 *
 * Acts: what to do is decided by `connection.ts` (the states), `backoff.ts` (the waits) and
 * `transcript.ts` (what is new). Each chunk of bytes is one reduction and one notification. An end
 * of file without an outcome is a broken connection, never an end.
 */
import { waitAfter } from "./backoff.ts";
import { BlockDecoder } from "./blocks.ts";
import { cancel } from "./cancel.ts";
import { type ConnectionSignal, IDLE, nextConnection } from "./connection.ts";
import { Interruption, protocolError, ReaderError } from "./errors.ts";
import { ACCEPT, type Call, type Requests, requestsTo } from "./requests.ts";
import { Store } from "./store.ts";
import { Transcript } from "./transcript.ts";
import type { Platform, Run, RunOptions, RunSnapshot, RunState, Wake } from "./types.ts";
import { SILENCE_TIMEOUT_MS, sleep } from "./waits.ts";

/** The request that starts the run. */
export type Start = Pick<Call, "method" | "headers" | "body">;

/** A reason to connect anew at once: the connection may be dead, though nothing says so. */
const DOUBT = new Interruption("in doubt");

/** A heartbeat, and a little: when a page is seen again after more silence, that is in doubt. */
const DOUBT_MS = 17_000;

/** A log that keeps losing what was read is given up. */
const MAX_REREADS = 3;

/** Once stop was asked for, a start that fails so often has not arrived. */
const MAX_ATTEMPTS_TO_STOP = 3;

const ignore = () => {};

export class Reader extends Store<RunSnapshot> implements Run {
  readonly ended: Promise<RunState>;
  readonly #requests: Requests;
  readonly #platform: Platform;
  readonly #options: RunOptions;
  readonly #start: Start | null;
  #transcript: Transcript;
  #rereads = 0;
  #connection: AbortController | null = null;
  #heardAtMs = 0;
  #waiting: AbortController | null = null;
  /** How long the server has asked to wait: then nothing that happens here ends the wait. */
  #askedMs = 0;
  #leaving: ReaderError | null = null;
  #stopping: Promise<void> | null = null;
  readonly #hasEnded = new AbortController();

  /** Read on from `transcript`, or begin with `start` where its run has no id yet. */
  constructor(options: RunOptions, transcript: Transcript, start: Start | null) {
    super({ run: transcript.run, connection: IDLE, isStopping: false, failure: null });
    this.#options = options;
    this.#transcript = transcript;
    this.#start = start;
    this.#requests = requestsTo(options);
    this.#platform = this.#requests.platform;
    this.ended = this.#readToEnd();
    this.ended.catch((error: unknown) => {
      // Those who look at the snapshot know it already. A bug rises in any case.
      if (!(error instanceof ReaderError)) throw error;
    });
  }

  leave(): void {
    this.#leaving ??= new ReaderError("left", "You have left this answer.");
    this.#connection?.abort(this.#leaving);
    this.#waiting?.abort();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop().catch((error: unknown) => {
      this.#stopping = null; // it may be asked for again
      this.#change({ isStopping: false });
      throw error;
    });
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    if (this.#isClosed) return;
    this.#change({ isStopping: true });
    this.#hurry();
    const runId = await this.#runIdKnown();
    if (runId !== null && !this.#isClosed) {
      try {
        await cancel(this.#requests, runId, this.#hasEnded.signal);
      } catch (error) {
        if (!this.#isOver) throw error;
      }
      this.#hurry();
    }
    await this.ended.catch(ignore); // who waits for it hears of its errors
  }

  get #runId(): string | null {
    return this.#transcript.run.runId;
  }

  get #isOver(): boolean {
    return this.#transcript.run.outcome !== null;
  }

  get #isClosed(): boolean {
    return this.getSnapshot().connection.state === "closed";
  }

  /** Change the snapshot; with a signal, its connection too. */
  #change(
    change: Partial<RunSnapshot>,
    signal?: ConnectionSignal,
    problem?: string | null,
    retryAtMs?: number | null,
  ): void {
    const before = this.getSnapshot();
    const connection = signal ? nextConnection(before.connection, signal, problem, retryAtMs) : before.connection;
    this.set({ ...before, ...change, connection });
  }

  /** Return the run's id as soon as it is known; null if reading ends before. */
  #runIdKnown(): Promise<string | null> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.#runId === null && !this.#isClosed) return;
        unsubscribe();
        resolve(this.#runId);
      };
      const unsubscribe = this.subscribe(look);
      look();
    });
  }

  async #readToEnd(): Promise<RunState> {
    const unwatch = this.#platform.watchWakes((wake) => this.#onWake(wake));
    const { signal } = this.#options;
    const leave = () => this.leave();
    signal?.addEventListener("abort", leave);
    if (signal?.aborted) leave();
    let failure: ReaderError | null = null;
    try {
      while (!this.#isOver) await this.#attempt();
      return this.#transcript.run;
    } catch (error) {
      failure =
        error instanceof ReaderError
          ? error
          : new ReaderError("unexpected", "Something went wrong on this page.", String(error));
      throw error;
    } finally {
      const { run } = this.#transcript;
      unwatch();
      signal?.removeEventListener("abort", leave);
      if (run.outcome !== null) this.#hasEnded.abort();
      this.#change({ run, isStopping: false, failure }, "close", failure?.message);
      this.#requests.observe({ type: "end", outcome: run.outcome, failure });
    }
  }

  /** Connect and read until the run's end, or until the connection breaks; then wait. */
  async #attempt(): Promise<void> {
    try {
      if (this.#leaving) throw this.#leaving;
      await this.#connectAndRead();
    } catch (error) {
      if (error === DOUBT) return;
      if (error instanceof Interruption) return this.#wait(error);
      if (!this.#canReread(error)) throw error;
      // What is on the screen stays until there is something in its place.
      this.#rereads += 1;
      this.#transcript = new Transcript(this.#runId);
    }
  }

  #canReread(error: unknown): boolean {
    return (
      error instanceof ReaderError &&
      error.code === "records_lost" &&
      this.#options.rereadsLost !== false &&
      this.#transcript.isWhole &&
      this.#rereads < MAX_REREADS
    );
  }

  async #connectAndRead(): Promise<void> {
    const connection = new AbortController();
    this.#connection = connection;
    this.#change({}, "connect");
    const unwatch = this.#watchSilence(connection);
    try {
      const response = await this.#open(connection.signal);
      if (response.status === 204) return this.#transcript.rereadEnd();
      const type = response.headers.get("Content-Type");
      if (!/^text\/event-stream/i.test(type ?? "") || !response.body) {
        throw protocolError(`${type} is no event stream; is it a Tickertape server?`);
      }
      this.#change({ run: this.#transcript.run }, "open");
      await this.#read(response.body.getReader(), connection.signal);
    } finally {
      unwatch();
      this.#connection = null;
      connection.abort(); // closes whatever is still open
    }
  }

  /** Start the run, or go on with it: by its id as soon as that is known. */
  async #open(signal: AbortSignal): Promise<Response> {
    const { attempt } = this.getSnapshot().connection;
    const runId = this.#runId;
    if (runId !== null || !this.#start) {
      const cursor = this.#transcript.lastEventId;
      const headers = cursor === null ? ACCEPT : { ...ACCEPT, "Last-Event-ID": cursor };
      return this.#requests.send({ method: "GET", runId, headers, cursor, attempt, signal });
    }
    const response = await this.#requests.send({ ...this.#start, attempt, signal });
    // Only its last part: a proxy may have put the server under another path.
    const located = response.headers.get("Location")?.replace(/[?#].*|.*\//g, "");
    if (located) this.#transcript.run = { ...this.#transcript.run, runId: decodeURIComponent(located) };
    return response;
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal): Promise<void> {
    const decoder = new BlockDecoder();
    // Not every `fetch` heeds its signal; this ends a read in any case.
    signal.addEventListener("abort", () => reader.cancel().catch(ignore));
    const platform = this.#platform;
    let waitedMs = 0;
    while (!this.#isOver) {
      // Pieces that come faster than pictures are seen together: read them together. Only after one
      // that was waited for: before that, there may be more of what has arrived already.
      const frameMs = platform.frameMs();
      if (waitedMs > 1 && waitedMs < frameMs) await sleep(platform, 2 * frameMs, signal);
      const askedAtMs = platform.nowMs();
      const { done, value } = await reader.read().catch((error: unknown) => {
        // Nothing that we do makes a read fail: whatever its words, the connection broke.
        if (signal.aborted) throw signal.reason;
        throw (error as Error)?.name === "TypeError" ? new Interruption("The connection broke.") : error;
      });
      if (signal.aborted) throw signal.reason;
      if (done) throw new Interruption("The answer broke off.");
      this.#take(decoder, value);
      waitedMs = this.#heardAtMs - askedAtMs;
    }
  }

  #take(decoder: BlockDecoder, bytes: Uint8Array): void {
    this.#heardAtMs = this.#platform.nowMs();
    const transcript = this.#transcript;
    const { receivedLength } = transcript.run;
    const { applied, error } = transcript.take(decoder.feed(bytes));
    const { run } = transcript;
    const isHeartbeat = decoder.comments > 0;
    if (isHeartbeat) this.#requests.observe({ type: "heartbeat" });
    if (applied > 0) {
      const textLength = run.receivedLength - receivedLength;
      this.#requests.observe({ type: "arrival", events: applied, textLength, cursor: run.cursor });
    }
    // The end is told together with the closing; and while all is well, a heartbeat is no news.
    const isNews = applied > 0 || (isHeartbeat && this.getSnapshot().connection.attempt > 0);
    if (isNews && !this.#isOver) this.#change(applied > 0 ? { run } : {}, "progress");
    if (error !== null) throw error;
  }

  /** Have the connection broken off when it is silent for too long, by one timer for all of it. */
  #watchSilence(connection: AbortController): () => void {
    const { nowMs, setTimeout, clearTimeout } = this.#platform;
    let timer: unknown;
    const look = () => {
      const leftMs = this.#heardAtMs + SILENCE_TIMEOUT_MS - nowMs();
      if (leftMs > 0) timer = setTimeout(look, leftMs);
      else connection.abort(new Interruption("The server has gone silent."));
    };
    this.#heardAtMs = nowMs();
    look();
    return () => clearTimeout(timer);
  }

  async #wait({ message: problem, askedMs }: Interruption): Promise<void> {
    if (this.#leaving) throw this.#leaving;
    const platform = this.#platform;
    const attempt = this.getSnapshot().connection.attempt + 1;
    const { run } = this.#transcript;
    if (this.#stopping && run.runId === null && attempt >= MAX_ATTEMPTS_TO_STOP) {
      this.#transcript.run = { ...run, outcome: "cancelled", cancelledBy: "user", length: run.receivedLength };
      return;
    }
    const waitMs = waitAfter(attempt, platform.random(), askedMs);
    if (waitMs === null && !platform.isAway()) {
      throw new ReaderError("connection_lost", `${problem} Try again later.`, `after ${attempt} attempts`);
    }
    const retryAtMs = waitMs === null ? null : platform.nowMs() + waitMs;
    this.#requests.observe({ type: "interruption", cursor: run.cursor, problem, retryAtMs });
    const waiting = (this.#waiting = new AbortController());
    this.#askedMs = askedMs;
    this.#change({}, "interrupt", problem, retryAtMs);
    await sleep(platform, waitMs, waiting.signal);
    this.#waiting = null;
  }

  /** End the wait that is under way, and count failures from 0. */
  #hurry(): void {
    if (!this.#waiting) return;
    this.#change({}, "wake");
    this.#waiting.abort();
  }

  #onWake(wake: Wake): void {
    if (!this.#askedMs) this.#hurry();
    // A connection from before the network was away is dead, and nothing would tell.
    const isInDoubt = wake === "online" || this.#platform.nowMs() - this.#heardAtMs > DOUBT_MS;
    if (isInDoubt) this.#connection?.abort(DOUBT);
  }
}
