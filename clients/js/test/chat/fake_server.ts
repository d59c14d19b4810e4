/** A server that does what the test says, behind an injected `fetch`. */

export interface Call {
  readonly method: string;
  readonly url: string;
  readonly key: string | null;
  readonly after: string | null;
  readonly authorization: string | null;
  readonly body: { messages: { role: string; content: string }[]; model?: string } | null;
}

export class FakeRun {
  readonly id: string;
  readonly #blocks: string[] = [];
  readonly #readers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  #length = 0;
  #isEnded = false;

  constructor(id: string) {
    this.id = id;
    this.#write({ run_id: id, model: "m", provider: "p", created_at: 1 });
  }

  get readers(): number {
    return this.#readers.size;
  }

  say(text: string): this {
    this.#length += [...text].length;
    return this.#write({ content: text });
  }

  think(text: string): this {
    return this.#write({ reasoning: text });
  }

  end(fields: Record<string, unknown> = {}): this {
    if (this.#isEnded) return this;
    this.#isEnded = true;
    const timings = { first_progress_s: 0, duration_s: 1 };
    const end = { outcome: "completed", finish_reason: "stop", usage: null, length: this.#length, timings };
    this.#write({ ...end, ...fields });
    for (const reader of this.#readers) reader.close();
    this.#readers.clear();
    return this;
  }

  /** Break every connection. */
  cut(): void {
    for (const reader of this.#readers) reader.error(new TypeError("network error"));
    this.#readers.clear();
  }

  /** Read from after a block on, as it grows. */
  read(after: number, signal: AbortSignal | null | undefined): Response {
    const blocks = this.#blocks.slice(after + 1);
    if (blocks.length === 0 && this.#isEnded) return new Response(null, { status: 204 });
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        if (blocks.length > 0) controller.enqueue(encode(blocks.join("")));
        if (this.#isEnded) return controller.close();
        this.#readers.add(controller);
        signal?.addEventListener("abort", () => this.#readers.delete(controller));
      },
    });
    const headers = { "Content-Type": "text/event-stream", Location: `/chat/stream/${this.id}` };
    return new Response(body, { headers });
  }

  #write(payload: Record<string, unknown>): this {
    const block = `id: ${this.#blocks.length}\ndata: ${JSON.stringify(payload)}\n\n`;
    this.#blocks.push(block);
    for (const reader of this.#readers) reader.enqueue(encode(block));
    return this;
  }
}

export class FakeServer {
  readonly calls: Call[] = [];
  readonly runs: FakeRun[] = [];
  readonly #byKey = new Map<string, FakeRun>();
  /** Answers that come in place of the next ones. */
  readonly refusals: Response[] = [];
  /** The next start arrives, but its answer does not. */
  losesNextAnswer = false;
  isReachable = true;

  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    const call: Call = {
      method: init.method ?? "GET",
      url,
      key: headers.get("Idempotency-Key"),
      after: headers.get("Last-Event-ID"),
      authorization: headers.get("Authorization"),
      body: typeof init.body === "string" ? JSON.parse(init.body) : null,
    };
    this.calls.push(call);
    if (!this.isReachable) throw new TypeError("Failed to fetch");
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return refusal;
    if (call.method === "POST") return this.#start(call, init);
    const run = this.runs.find(({ id }) => url.endsWith(`/${id}`));
    if (run === undefined) return refuse(404, "unknown_run");
    if (call.method === "GET") return run.read(Number(call.after ?? -1), init.signal);
    run.end({ outcome: "cancelled", cancelled_by: "user", finish_reason: null });
    return Response.json({});
  };

  get run(): FakeRun {
    const run = this.runs.at(-1);
    if (run === undefined) throw new Error("nothing was asked");
    return run;
  }

  of(method: string): Call[] {
    return this.calls.filter((call) => call.method === method);
  }

  #start({ key }: Call, init: RequestInit): Response {
    const known = this.#byKey.get(key ?? "");
    const run = known ?? new FakeRun(`r${this.runs.length + 1}`);
    if (known === undefined) this.runs.push(run);
    this.#byKey.set(key ?? "", run);
    if (this.losesNextAnswer) {
      this.losesNextAnswer = false;
      throw new TypeError("Failed to fetch");
    }
    return run.read(-1, init.signal);
  }
}

export function refuse(status: number, code: string, message = code): Response {
  return Response.json({ error: { code, message, param: null } }, { status });
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
