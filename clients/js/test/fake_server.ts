// A server for the tests of a reader: each request is kept, and gets the next reply in turn.
// Knows no run; what it says is what the test wrote.
import type { Platform, Wake } from "../src/types.ts";

export interface Asked {
  method: string;
  url: string;
  headers: Headers;
  body: string | null;
  signal: AbortSignal;
}

/** A reply under way, which the test writes as it likes. */
export class Stream {
  readonly response: Response;
  #body!: ReadableStreamDefaultController<Uint8Array>;

  constructor(headers: Record<string, string> = {}) {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#body = controller;
      },
    });
    this.response = new Response(body, { headers: { "Content-Type": "text/event-stream", ...headers } });
  }

  /** Send bytes as one chunk. */
  write(bytes: string | Uint8Array): void {
    this.#body.enqueue(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  /** End the body as if nothing more were to come. */
  end(): void {
    this.#body.close();
  }

  /** Break the connection, in Chrome's words. */
  break(): void {
    this.#body.error(new TypeError("network error"));
  }
}

type Reply = Response | Stream | Error;

/** Return a reply that is an error, as the server writes them. */
export function refusal(status: number, code = "", headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ error: { code, message: `said ${code}`, param: null } }), { status, headers });
}

/** What `fetch` throws when there is no network. */
export const unreachable = (): Error => new TypeError("Failed to fetch");

export class FakeServer {
  readonly asked: Asked[] = [];
  readonly #replies: Reply[] = [];
  readonly #waiting: ((reply: Reply) => void)[] = [];
  readonly #wakes = new Set<(wake: Wake) => void>();
  isAway = false;
  /** Nobody looks, unless a test says so: what arrives is read at once. */
  frameMs = 0;

  /** Give this as the answer to the request that waits, or else to the next one. */
  reply<Given extends Reply>(reply: Given): Given {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(reply);
    else this.#replies.push(reply);
    return reply;
  }

  /** Answer with a stream of these chunks; it stays open. */
  stream(chunks: (string | Uint8Array)[] = [], headers: Record<string, string> = {}): Stream {
    const stream = new Stream(headers);
    for (const chunk of chunks) stream.write(chunk);
    return this.reply(stream);
  }

  wake(wake: Wake): void {
    for (const listener of this.#wakes) listener(wake);
  }

  /** How many listen for wakes; none when all readers have ended. */
  get listening(): number {
    return this.#wakes.size;
  }

  /** Waits are as long as they can be, so that tests know how long. */
  readonly platform: Partial<Platform> = {
    fetch: async (url, init) => {
      const signal = init.signal as AbortSignal;
      this.asked.push({
        method: init.method ?? "GET",
        url,
        headers: new Headers(init.headers),
        body: (init.body as string | undefined) ?? null,
        signal,
      });
      const reply = await new Promise<Reply>((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        const ready = this.#replies.shift();
        if (ready) resolve(ready);
        else this.#waiting.push(resolve);
      });
      if (reply instanceof Error) throw reply;
      return reply instanceof Stream ? reply.response : reply;
    },
    random: () => 1,
    watchWakes: (listener) => {
      this.#wakes.add(listener);
      return () => this.#wakes.delete(listener);
    },
    isAway: () => this.isAway,
    frameMs: () => this.frameMs,
  };
}

/** Return a block of the native wire. */
export function block(id: number | string, payload: Record<string, unknown>): string {
  return `id: ${id}\ndata: ${JSON.stringify(payload)}\n\n`;
}

export const started = block(0, { run_id: "r1", model: "m", provider: "p", created_at: 0 });

export const content = (id: number | string, text: string): string => block(id, { content: text });

/** Return the last blocks of a run. */
export function ended(id: number | string, length: number, outcome = "completed"): string {
  const how = outcome === "cancelled" ? { cancelled_by: "user" } : {};
  return `${block(id, { outcome, ...how, finish_reason: null, usage: null, length, timings: null })}data: [DONE]\n\n`;
}
