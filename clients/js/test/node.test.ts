// The core runs where there is no page, against a real server and Node's own words for a broken network.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";

import { startRun } from "../src/index.ts";
import { content, ended, started } from "./fake_server.ts";

type Answer = (response: ServerResponse) => void;

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Return the address of a server on this machine that gives these answers in turn. */
async function serve(answers: Answer[]): Promise<{ api: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers["last-event-id"] ?? "from the beginning"}`);
    request.resume().on("end", () => answers.shift()?.(response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return { api: `http://127.0.0.1:${(server.address() as AddressInfo).port}/chat/stream`, asked };
}

const open = (response: ServerResponse) =>
  response.writeHead(200, { "Content-Type": "text/event-stream", Location: "/chat/stream/r1" });

test("there is no document here", () => {
  expect([typeof document, typeof window]).toEqual(["undefined", "undefined"]);
});

test("a real connection that breaks is gone on with", async () => {
  const { api, asked } = await serve([
    // Before any answer.
    (response) => response.destroy(),
    // Within the body, as soon as it has been sent.
    (response) => open(response).write(started + content(1, "Hel"), () => response.destroy()),
    (response) => open(response).end(content(2, "lo") + ended(3, 5)),
  ]);
  const run = startRun({ messages: [{ role: "user", content: "Hello" }] }, { api, platform: { random: () => 0 } });
  expect(await run.ended).toMatchObject({ text: "Hello", outcome: "completed" });
  expect(asked.slice(0, 2)).toEqual(["POST from the beginning", "POST from the beginning"]);
  // What was sent right before a reset may be lost with it; then it is asked for again.
  expect(["GET 1", "GET from the beginning"]).toContain(asked[2]);
});

test("a server that nobody can reach is given up in plain words", async () => {
  const { api } = await serve([]);
  await closing.pop()?.();
  const run = startRun({ messages: [] }, { api, platform: { random: () => 0 } });
  await expect(run.ended).rejects.toMatchObject({
    code: "connection_lost",
    message: "The server can't be reached. Try again later.",
  });
});
