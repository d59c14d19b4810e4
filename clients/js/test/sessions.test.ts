// A reader and its server, as in every other language: `conformance/sessions`.
import { describe, expect, test } from "vitest";

import { ReaderError, tailRun } from "../src/index.ts";
import type { RunState } from "../src/types.ts";
import { type Form, pieces, toBytes, vectors } from "./vectors.ts";

type Exchange = { asks: string | null; status?: number; body: Form };
type Session = { after?: string; exchanges: Exchange[]; text: string; end: string };

/** Return a body of these chunks, and then the end of file. */
function bodyOf(chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

/** Follow the run, and return the text and the end. Fails when another request was made. */
async function follow(session: Session, cut: (bytes: Uint8Array) => Uint8Array[]): Promise<[string, string]> {
  const exchanges = [...session.exchanges];
  const run = tailRun("r1", {
    after: session.after ?? "-1",
    // There are no other requests than the vector's.
    rereadsLost: false,
    platform: {
      random: () => 0,
      fetch: async (url, init) => {
        const exchange = exchanges.shift();
        if (!exchange) throw new Error("one request too many");
        expect(url).toBe("/chat/stream/r1");
        expect(new Headers(init.headers).get("Last-Event-ID")).toBe(exchange.asks);
        const type = exchange.status ? "application/json" : "text/event-stream; charset=utf-8";
        return new Response(bodyOf(cut(toBytes(exchange.body))), {
          status: exchange.status ?? 200,
          headers: { "Content-Type": type },
        });
      },
    },
  });
  const end = await run.ended.then(
    (state: RunState) => state.error?.code ?? (state.outcome as string),
    (error: unknown) => {
      if (!(error instanceof ReaderError)) throw error;
      return error.code as string;
    },
  );
  expect(exchanges).toEqual([]);
  return [run.getSnapshot().run.text, end];
}

describe("conformance/sessions", () => {
  test.each(vectors<Session>("sessions"))("$name", async (session) => {
    const expected = [session.text, session.end];
    expect(await follow(session, (bytes) => [bytes])).toEqual(expected);
    expect(await follow(session, (bytes) => pieces(bytes, 1))).toEqual(expected);
    for (const size of [7, 31]) expect(await follow(session, (bytes) => pieces(bytes, size))).toEqual(expected);
  });
});
