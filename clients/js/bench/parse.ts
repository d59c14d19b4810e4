// How long bytes take to become what a page shows, in Node: ours against the AI SDK's.
//
// Both go through what an application calls: `startRun` here, `Chat` of @ai-sdk/react with
// its default transport there, each with a `fetch` that answers with the same text on its
// own wire, cut into the same writes. Rounds alternate; the medians are printed as JSON.
//
// node bench/parse.ts [--tokens N] [--rounds N]
import { parseArgs } from "node:util";
import { performance } from "node:perf_hooks";
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { startRun } from "../src/index.ts";
import { tokens } from "./answer.ts";
import { native, uiMessages, writes } from "./wires.ts";

const { values } = parseArgs({
  options: { tokens: { type: "string", default: "10000" }, rounds: { type: "string", default: "9" } },
});
const answer = tokens(Number(values.tokens));
const expected = answer.join("");

type Way = (bytes: readonly Uint8Array[]) => Promise<string>;

const ours: Way = async (bytes) => {
  const run = startRun(
    { messages: [{ role: "user", content: "Hello" }] },
    { api: "http://bench.test/chat/stream", fetch: answering(bytes) },
  );
  // As a page does: it reads the state whenever it is told of a change.
  let shown = "";
  const forget = run.subscribe(() => {
    shown = run.getSnapshot().run.text;
  });
  const { text } = await run.ended;
  forget();
  return shown.length > text.length ? shown : text;
};

const usual: Way = async (bytes) => {
  const chat = new Chat({
    transport: new DefaultChatTransport({ api: "http://bench.test/api/chat", fetch: answering(bytes) }),
  });
  let shown = "";
  const read = (): void => {
    shown = textOf(chat.messages.at(-1)?.parts);
  };
  const forget = chat["~registerMessagesCallback"](read);
  await chat.sendMessage({ text: "Hello" });
  forget();
  return shown;
};

function textOf(parts: readonly { type: string; text?: string }[] | undefined): string {
  return (parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
}

/** A `fetch` whose answers have these bytes for a body, one read at a time. */
function answering(bytes: readonly Uint8Array[]): typeof fetch {
  return async () => {
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const next = bytes[at];
        at += 1;
        if (next === undefined) controller.close();
        else controller.enqueue(next);
      },
    });
    return new Response(body, {
      headers: { "content-type": "text/event-stream", location: "/chat/stream/bench" },
    });
  };
}

async function timed(way: Way, bytes: readonly Uint8Array[], who: string): Promise<number> {
  const started = performance.now();
  const text = await way(bytes);
  const microseconds = ((performance.now() - started) * 1000) / answer.length;
  if (text !== expected) {
    throw new Error(`${who}: ${text.length} characters arrived of ${expected.length} sent`);
  }
  return microseconds;
}

function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const found = [];
for (const [name, size] of [["one token a read", 1], ["100 tokens a read", 100]] as const) {
  const bytes = { ours: writes(native(answer), size), usual: writes(uiMessages(answer), size) };
  const figures: { ours: number[]; usual: number[] } = { ours: [], usual: [] };
  for (let round = -1; round < Number(values.rounds); round += 1) {
    const one = await timed(ours, bytes.ours, "ours");
    const other = await timed(usual, bytes.usual, "usual");
    if (round < 0) continue; // the first is for the compiler
    figures.ours.push(one);
    figures.usual.push(other);
  }
  found.push({
    name,
    tokens: answer.length,
    ours_us: median(figures.ours),
    usual_us: median(figures.usual),
  });
}
console.log(JSON.stringify(found));
