// Serves the built pages of the benchmark, and one answer to each of them, at a pace.
//
// The path says the pace, /TOKENS-PER_WRITE-PAUSE_MS-HEAD/…, and the wire: `chat/stream` is ours,
// `api/chat` the AI SDK's. The first HEAD tokens come at once. A write is due at a time that is counted from the first, so that
// a late timer makes a larger write and never a slower answer.
//
// node bench/server.ts FOLDER      prints its port
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import type { AddressInfo } from "node:net";
import { tokens } from "./answer.ts";
import { native, uiMessages, writes } from "./wires.ts";

const folder = process.argv[2];
if (folder === undefined) throw new Error("say which folder has the built pages");

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
};

const STREAM = /^\/(\d+)-(\d+)-(\d+)-(\d+)\/(chat\/stream|api\/chat)$/;

const server = createServer((request, response) => {
  request.resume(); // what was asked makes no difference
  const path = new URL(request.url ?? "/", "http://bench.test").pathname;
  const stream = STREAM.exec(path);
  if (stream !== null) {
    const pace = stream.slice(1, 5).map(Number) as [number, number, number, number];
    const [count, perWrite, pauseMs, head] = pace;
    const wire = stream[5] === "chat/stream" ? native : uiMessages;
    const blocks = wire(tokens(count));
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      location: `${path}/bench`,
      "x-vercel-ai-ui-message-stream": "v1",
    });
    response.write(blocks.slice(0, head).join(""));
    send(response, writes(blocks.slice(head), perWrite), pauseMs);
  } else if (request.method === "DELETE") {
    response.writeHead(204).end();
  } else {
    void page(response, path);
  }
});

function send(response: ServerResponse, bytes: readonly Uint8Array[], pauseMs: number): void {
  const startedMs = performance.now();
  let at = 0;
  const next = (): void => {
    if (response.destroyed) return;
    const due = pauseMs === 0 ? bytes.length : (performance.now() - startedMs) / pauseMs + 1;
    response.cork();
    for (; at < bytes.length && at < due; at += 1) response.write(bytes[at]);
    response.uncork();
    if (at < bytes.length) setTimeout(next, pauseMs);
    else response.end();
  };
  next();
}

async function page(response: ServerResponse, path: string): Promise<void> {
  try {
    const body = await readFile(join(folder as string, normalize(path)));
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/plain" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}

server.listen(0, "127.0.0.1", () => {
  console.log((server.address() as AddressInfo).port);
});
process.stdin.on("end", () => process.exit()).resume(); // who started it has gone
