// A run is followed to its end, however often the connection breaks.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { cancelRun, NEW_RUN, reduce, startRun, tailRun } from "../src/index.ts";
import type { ChatRequest, Observation, Run, RunOptions, StartOptions, TailOptions } from "../src/types.ts";
import { content, ended, FakeServer, refusal, started, type Stream, unreachable } from "./fake_server.ts";

const question: ChatRequest = { messages: [{ role: "user", content: "Hello" }] };

let server: FakeServer;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 0 });
  server = new FakeServer();
});

afterEach(() => {
  vi.useRealTimers();
});

function start(options: StartOptions = {}): Run {
  return startRun(question, { platform: server.platform, ...options });
}

function tail(options: TailOptions = {}): Run {
  return tailRun("r1", { platform: server.platform, ...options });
}

/** Wait until the run's snapshot is so; a test that waits in vain times out. */
function until(run: Run, isSo: (snapshot: ReturnType<Run["getSnapshot"]>) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!isSo(run.getSnapshot())) return;
      unsubscribe();
      resolve();
    };
    const unsubscribe = run.subscribe(look);
    look();
  });
}

const hasText = (run: Run, text: string) => until(run, (snapshot) => snapshot.run.text === text);
const isIn = (run: Run, state: string) => until(run, ({ connection }) => connection.state === state);

/** Follow a run of which the first block has arrived. */
async function begun(): Promise<{ stream: Stream; run: Run }> {
  const stream = server.stream([started]);
  const run = tail();
  await until(run, (snapshot) => snapshot.run.model === "m");
  return { stream, run };
}

/** Wait for the request of this number, counted from 0. */
async function asked(number: number): Promise<FakeServer["asked"][number]> {
  for (let turn = 0; turn < 10 && !server.asked[number]; turn += 1) await settle();
  const found = server.asked[number];
  if (!found) throw new Error(`no request ${number}`);
  return found;
}

/** Let what has been written be read; no time passes. */
const settle = () => vi.advanceTimersByTimeAsync(0);

function nothingIsLeft(): void {
  expect(vi.getTimerCount()).toBe(0);
  expect(server.listening).toBe(0);
}

describe("starting", () => {
  test("a run is started, and its text read to its end", async () => {
    server.stream([started, content(1, "Hel"), content(2, "lo"), ended(3, 5)]);
    const run = start({ idempotencyKey: "k1" });
    expect(await run.ended).toMatchObject({ text: "Hello", outcome: "completed", runId: "r1", cursor: "3" });
    expect(run.getSnapshot().connection.state).toBe("closed");
    const [post] = server.asked;
    expect([post?.method, post?.url, post?.body]).toEqual(["POST", "/chat/stream", JSON.stringify(question)]);
    expect(post?.headers.get("Idempotency-Key")).toBe("k1");
    expect(post?.headers.get("Content-Type")).toBe("application/json");
    nothingIsLeft();
  });

  test("the run's id is known before its first block is", async () => {
    server.stream([], { Location: "/somewhere/chat/stream/r%201?x" });
    const run = start();
    await isIn(run, "open");
    expect(run.getSnapshot().run.runId).toBe("r 1");
    run.leave();
  });

  test("a lost answer to the start costs nothing: the same start joins", async () => {
    server.reply(unreachable());
    server.stream([started, content(1, "Hello"), ended(2, 5)]);
    const run = start();
    await isIn(run, "waiting");
    await vi.advanceTimersByTimeAsync(500);
    expect((await run.ended).text).toBe("Hello");
    const [first, second] = server.asked;
    expect(second).toMatchObject({ method: "POST", body: first?.body });
    expect(second?.headers.get("Idempotency-Key")).toBe(first?.headers.get("Idempotency-Key"));
    expect(first?.headers.get("Idempotency-Key")).toMatch(/^\d+(-\d+){3}$/);
  });

  test("two starts have two keys", async () => {
    const runs = [start(), start()];
    const [one, other] = server.asked.map(({ headers }) => headers.get("Idempotency-Key"));
    expect(one).not.toBe(other);
    for (const run of runs) run.leave();
  });
});

describe("resuming", () => {
  test("p1: what was read is not asked for again, and the rest follows once", async () => {
    const stream = server.stream([started, content(1, "Hel")]);
    const run = start();
    await hasText(run, "Hel");
    stream.break();
    await isIn(run, "waiting");
    expect(run.getSnapshot().connection).toEqual({
      state: "waiting",
      attempt: 1,
      retryAtMs: 500,
      problem: "The connection broke.",
    });
    // The server repeats what it had sent: a proxy answered.
    server.stream([started, content(1, "Hel"), content(2, "lo"), ended(3, 5)]);
    await vi.advanceTimersByTimeAsync(500);
    expect((await run.ended).text).toBe("Hello");
    expect(server.asked[1]).toMatchObject({ method: "GET", url: "/chat/stream/r1" });
    expect(server.asked[1]?.headers.get("Last-Event-ID")).toBe("1");
  });

  test.each([
    ["an end of file", ""],
    ["a [DONE]", "data: [DONE]\n\n"],
  ])("p2: %s without an outcome is a broken connection, never an end", async (_, last) => {
    const stream = server.stream([started, content(1, "Hel"), last]);
    const run = start();
    await hasText(run, "Hel");
    stream.end();
    await isIn(run, "waiting");
    expect(run.getSnapshot().run.outcome).toBeNull();
    server.stream([ended(2, 3)]);
    await vi.advanceTimersByTimeAsync(500);
    expect((await run.ended).outcome).toBe("completed");
  });

  test("a stored state is gone on with, and its text counted at the end", async () => {
    const first = tail();
    server.stream([started, content(1, "Hel😀")]);
    await hasText(first, "Hel😀");
    const stored = JSON.stringify(first.getSnapshot().run);
    first.leave();
    server.stream([content(2, "lo"), ended(3, 6)]);
    const run = tail({ state: JSON.parse(stored) });
    expect(await run.ended).toMatchObject({ text: "Hel😀lo", length: 6 });
    expect(server.asked[1]?.headers.get("Last-Event-ID")).toBe("1");
  });

  test("a state that has ended asks nothing", async () => {
    const state = { ...NEW_RUN, runId: "r1", outcome: "completed" as const, cursor: "1" };
    const run = tail({ state });
    expect(await run.ended).toMatchObject({ outcome: "completed" });
    expect(server.asked).toEqual([]);
    nothingIsLeft();
  });

  test("a cursor that is the run's last gets the end once more", async () => {
    server.reply(new Response(null, { status: 204 }));
    server.stream([started, content(1, "Hello"), ended(2, 5)]);
    const run = tail({ after: "2" });
    expect(await run.ended).toMatchObject({ outcome: "completed", text: "" });
    expect(server.asked.map(({ headers }) => headers.get("Last-Event-ID"))).toEqual(["2", null]);
  });

  test("a run that is closed without an end is an error", async () => {
    server.reply(new Response(null, { status: 204 }));
    await expect(tail().ended).rejects.toMatchObject({ code: "protocol_error" });
  });

  test("what is no cursor is refused at once", () => {
    expect(() => tail({ after: "61.0" })).toThrow('"61.0" is no cursor; give the id of a block, as 61 or 61.2');
  });

  test("p1: when the server has lost what was read, the run is read again from its beginning", async () => {
    const stream = server.stream([started, content(1, "Hello")]);
    const run = tail();
    await hasText(run, "Hello");
    stream.break();
    server.reply(refusal(409, "records_lost"));
    const again = server.stream([]);
    await vi.advanceTimersByTimeAsync(500);
    await isIn(run, "open");
    again.write("id: 0.2\n" + started.slice("id: 0\n".length) + content("1.2", "Bye") + ended("2.2", 3));
    expect(await run.ended).toMatchObject({ text: "Bye", outcome: "completed" });
    expect(server.asked.map(({ headers }) => headers.get("Last-Event-ID"))).toEqual([null, "1", null]);
  });

  test("a log that keeps losing is given up", async () => {
    const run = tail();
    for (let lost = 0; lost < 4; lost += 1) server.reply(refusal(409, "records_lost"));
    await expect(run.ended).rejects.toMatchObject({ code: "records_lost" });
    expect(server.asked.length).toBe(4);
  });
});

describe("the end", () => {
  test("p2: text that is missing is told, and is no end", async () => {
    server.stream([started, content(1, "Hel"), ended(2, 5)]);
    const run = tail();
    await expect(run.ended).rejects.toMatchObject({
      code: "protocol_error",
      message: "A part of this answer is missing.",
      detail: "3 of 5 characters have arrived",
    });
    const { run: state, failure, connection } = run.getSnapshot();
    expect([state.outcome, state.text, failure?.code]).toEqual([null, "Hel", "protocol_error"]);
    expect(connection).toMatchObject({ state: "closed", problem: "A part of this answer is missing." });
    nothingIsLeft();
  });

  test("the length is counted in code points, over every choice, without refusals", async () => {
    const refused = 'id: 3\ndata: {"refusal":"no"}\n\n';
    const other = 'id: 2\ndata: {"content":"é","choice":1}\n\n';
    server.stream([started, content(1, "👨‍👩‍👧"), other, refused, ended(4, 6)]);
    expect(await tail().ended).toMatchObject({ length: 6, receivedLength: 6 });
  });

  test("a failed run ends as such, with its error", async () => {
    const end =
      'id: 1\ndata: {"error":"It stalled.","code":"stalled","retryable":true,"outcome":"failed","length":0}\n\n';
    server.stream([started, end]);
    expect(await tail().ended).toMatchObject({
      outcome: "failed",
      error: { message: "It stalled.", code: "stalled", retryable: true },
    });
  });

  test("the last text, the outcome and the closing are told together", async () => {
    server.stream([started + content(1, "Hello") + ended(2, 5)]);
    const run = tail();
    await isIn(run, "open");
    const seen: unknown[] = [];
    run.subscribe(() => {
      const { run: state, connection } = run.getSnapshot();
      seen.push([state.text, state.outcome, connection.state]);
    });
    await run.ended;
    expect(seen).toEqual([["Hello", "completed", "closed"]]);
  });

  test("the connection is closed without waiting for the server to do so", async () => {
    server.stream([started, ended(1, 0)]);
    await tail().ended;
    expect(server.asked[0]?.signal.aborted).toBe(true);
  });
});

describe("telling", () => {
  test("a chunk of many events is one notification", async () => {
    const { stream, run } = await begun();
    const listener = vi.fn();
    run.subscribe(listener);
    stream.write(Array.from({ length: 100 }, (_, at) => content(at + 1, "x")).join(""));
    await hasText(run, "x".repeat(100));
    expect(listener).toHaveBeenCalledTimes(1);
    run.leave();
  });

  test("a heartbeat is told to an inspector, and not to the screen", async () => {
    const stream = server.stream([started]);
    const observed: Observation[] = [];
    const run = tail({ observe: (observation) => observed.push(observation) });
    await until(run, (snapshot) => snapshot.run.model === "m");
    const before = run.getSnapshot();
    stream.write(": hb\n");
    await settle();
    expect(observed.at(-1)).toEqual({ type: "heartbeat", atMs: 0 });
    expect(run.getSnapshot()).toBe(before);
    run.leave();
  });

  test("an inspector hears of all that happens", async () => {
    const stream = server.stream([started, content(1, "Hel")]);
    const observed: Observation[] = [];
    const run = tail({ observe: (observation) => observed.push(observation) });
    await hasText(run, "Hel");
    stream.break();
    server.stream([content(2, "lo") + ended(3, 5)]);
    await vi.advanceTimersByTimeAsync(500);
    await run.ended;
    expect(observed).toEqual([
      { type: "request", atMs: 0, method: "GET", cursor: null, attempt: 0 },
      { type: "answer", atMs: 0, method: "GET", status: 200 },
      { type: "arrival", atMs: 0, events: 1, textLength: 0, cursor: "0" },
      { type: "arrival", atMs: 0, events: 1, textLength: 3, cursor: "1" },
      { type: "interruption", atMs: 0, cursor: "1", problem: "The connection broke.", retryAtMs: 500 },
      { type: "request", atMs: 500, method: "GET", cursor: "1", attempt: 1 },
      { type: "answer", atMs: 500, method: "GET", status: 200 },
      { type: "arrival", atMs: 500, events: 2, textLength: 2, cursor: "3" },
      { type: "end", atMs: 500, outcome: "completed", failure: null },
    ]);
  });
});

describe("an unwilling server", () => {
  test.each([
    [400, "invalid_request", "invalid_request", "The server did not accept this: said invalid_request"],
    [403, "", "forbidden", "This is not allowed."],
    [404, "unknown_run", "unknown_run", "This answer does not exist, or is not yours."],
    [404, "", "not_configured", "The server is not set up to answer here."],
    [409, "idempotency_conflict", "idempotency_conflict", "This was already asked in other words."],
    [410, "run_trimmed", "run_trimmed", "This answer is no longer kept."],
    [413, "too_large", "invalid_request", "This is too long."],
    [415, "unsupported", "invalid_request", "The server did not accept this: said unsupported"],
    [500, "not_configured", "not_configured", "The server is not set up to answer here."],
  ])("%d %s is final, and told in plain words", async (status, said, code, message) => {
    server.reply(refusal(status, said));
    const run = start();
    await expect(run.ended).rejects.toMatchObject({ code, message, detail: `said ${said}` });
    expect(run.getSnapshot().failure).toMatchObject({ code, message });
    expect(server.asked.length).toBe(1);
    nothingIsLeft();
  });

  test("an answer that is no stream is final", async () => {
    server.reply(new Response("<html>", { headers: { "Content-Type": "text/html" } }));
    await expect(tail().ended).rejects.toMatchObject({
      code: "protocol_error",
      detail: "text/html is no event stream; is it a Tickertape server?",
    });
  });

  test.each([429, 500, 502, 503, 504])("%d is tried again, when the server says", async (status) => {
    server.reply(refusal(status, "busy", { "Retry-After": "7" }));
    const run = tail();
    await isIn(run, "waiting");
    expect(run.getSnapshot().connection.retryAtMs).toBe(7000);
    server.stream([started, ended(1, 0)]);
    await vi.advanceTimersByTimeAsync(7000);
    expect((await run.ended).outcome).toBe("completed");
  });

  test("fifteen attempts in a row are enough", async () => {
    for (let failures = 0; failures < 16; failures += 1) server.reply(unreachable());
    const run = tail();
    await vi.advanceTimersByTimeAsync(120_000);
    await expect(run.ended).rejects.toMatchObject({
      code: "connection_lost",
      message: "The server can't be reached. Try again later.",
      detail: "after 16 attempts",
    });
    expect(server.asked.length).toBe(16);
    nothingIsLeft();
  });

  test("attempts are counted in a row: a success between them spends none", async () => {
    const run = tail();
    for (let at = 0; at < 20; at += 1) {
      const stream = server.stream(at === 0 ? [started] : [content(at, "x")]);
      await until(run, ({ run: { cursor } }) => cursor === `${at}`);
      stream.break();
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(server.asked.length).toBe(21);
    run.leave();
  });
});

describe("credentials", () => {
  test("every request has the caller's headers", async () => {
    server.stream([started, ended(1, 0)]);
    await tail({ getHeaders: () => ({ Authorization: "Bearer 1" }) }).ended;
    expect(server.asked[0]?.headers.get("Authorization")).toBe("Bearer 1");
  });

  test("after a 401 fresh ones are asked for, once", async () => {
    server.reply(refusal(401));
    server.stream([started, ended(1, 0)]);
    const getHeaders = vi.fn(async (why: string) => ({ Authorization: why }));
    await tail({ getHeaders }).ended;
    expect(server.asked.map(({ headers }) => headers.get("Authorization"))).toEqual(["request", "unauthorized"]);
  });

  test("a second 401 is final, and so is one that nobody can help", async () => {
    const final = { code: "unauthorized", message: "Sign in and try again." };
    server.reply(refusal(401));
    server.reply(refusal(401));
    await expect(tail({ getHeaders: () => ({}) }).ended).rejects.toMatchObject(final);
    server.reply(refusal(401));
    await expect(tail().ended).rejects.toMatchObject(final);
    expect(server.asked.length).toBe(3);
  });

  test("when fetching them fails for want of a network, it is tried again", async () => {
    const getHeaders = vi.fn().mockRejectedValueOnce(unreachable()).mockResolvedValue({});
    const run = tail({ getHeaders });
    await isIn(run, "waiting");
    server.stream([started, ended(1, 0)]);
    await vi.advanceTimersByTimeAsync(500);
    expect((await run.ended).outcome).toBe("completed");
  });
});

describe("silence", () => {
  test("a connection that is silent for 45 seconds is broken", async () => {
    const { run } = await begun();
    await vi.advanceTimersByTimeAsync(44_999);
    expect(run.getSnapshot().connection.state).toBe("open");
    await vi.advanceTimersByTimeAsync(1);
    expect(run.getSnapshot().connection).toMatchObject({ state: "waiting", problem: "The server has gone silent." });
    expect(server.asked[0]?.signal.aborted).toBe(true);
    run.leave();
  });

  test("heartbeats keep it", async () => {
    const { stream, run } = await begun();
    for (let beats = 0; beats < 10; beats += 1) {
      await vi.advanceTimersByTimeAsync(15_000);
      stream.write(": hb\n");
      await settle();
    }
    expect(run.getSnapshot().connection.state).toBe("open");
    expect(server.asked.length).toBe(1);
    run.leave();
  });

  test("a request that is not answered at all is given up after as long", async () => {
    const run = tail();
    await asked(0);
    await vi.advanceTimersByTimeAsync(45_000);
    expect(run.getSnapshot().connection.problem).toBe("The server has gone silent.");
    run.leave();
  });
});

describe("waking", () => {
  test.each(["online", "visible"] as const)("%s ends a wait at once, and forgets the failures", async (wake) => {
    server.reply(unreachable());
    server.reply(unreachable());
    const run = tail();
    await isIn(run, "waiting");
    await vi.advanceTimersByTimeAsync(500);
    expect(run.getSnapshot().connection.attempt).toBe(2);
    server.stream([started, ended(1, 0)]);
    server.wake(wake);
    expect((await run.ended).outcome).toBe("completed");
    expect(Date.now()).toBe(500);
  });

  test("a wait that the server has asked for is kept to", async () => {
    server.reply(refusal(503, "busy", { "Retry-After": "30" }));
    const run = tail();
    await isIn(run, "waiting");
    server.stream([started, ended(1, 0)]);
    server.wake("online");
    server.wake("visible");
    await vi.advanceTimersByTimeAsync(29_000);
    expect(run.getSnapshot().connection.state).toBe("waiting");
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await run.ended).outcome).toBe("completed");
  });

  test("while the page is hidden or the network away, nobody gives up", async () => {
    server.isAway = true;
    for (let failures = 0; failures < 16; failures += 1) server.reply(unreachable());
    const run = tail();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(run.getSnapshot().connection).toMatchObject({ state: "waiting", retryAtMs: null });
    expect(vi.getTimerCount()).toBe(0);
    server.stream([started, ended(1, 0)]);
    server.wake("visible");
    expect((await run.ended).outcome).toBe("completed");
  });

  test("a page that is seen again checks a connection that was silent meanwhile", async () => {
    server.stream([started, content(1, "Hel")]);
    const run = tail();
    await hasText(run, "Hel");
    await vi.advanceTimersByTimeAsync(20_000);
    server.stream([content(2, "lo"), ended(3, 5)]);
    const states: string[] = [];
    run.subscribe(() => states.push(run.getSnapshot().connection.state));
    server.wake("visible");
    expect((await run.ended).text).toBe("Hello");
    expect(server.asked[1]?.headers.get("Last-Event-ID")).toBe("1");
    expect(states).not.toContain("waiting"); // nothing to tell of
  });

  test("a page that is seen again leaves a lively connection alone", async () => {
    const { stream, run } = await begun();
    await vi.advanceTimersByTimeAsync(15_000);
    stream.write(": hb\n");
    await settle();
    server.wake("visible");
    await settle();
    expect(server.asked.length).toBe(1);
    run.leave();
  });

  test("a connection from before the network was away is not trusted", async () => {
    const { run } = await begun();
    server.wake("online");
    server.stream([ended(1, 0)]);
    expect((await run.ended).outcome).toBe("completed");
    expect(server.asked.length).toBe(2);
  });
});

describe("stopping", () => {
  test("stop cancels on the server, and the answer ends when its outcome arrives", async () => {
    const stream = server.stream([started, content(1, "Hel")]);
    const run = tail();
    await hasText(run, "Hel");
    const stopped = run.stop();
    expect(run.getSnapshot().isStopping).toBe(true);
    expect(await asked(1)).toMatchObject({ method: "DELETE", url: "/chat/stream/r1" });
    stream.write(content(2, "lo") + ended(3, 5, "cancelled"));
    server.reply(new Response("{}"));
    await stopped;
    expect(run.getSnapshot()).toMatchObject({
      run: { text: "Hello", outcome: "cancelled", cancelledBy: "user" },
      isStopping: false,
    });
    nothingIsLeft();
  });

  test("it is safe to repeat", async () => {
    const { stream, run } = await begun();
    const first = run.stop();
    expect(run.stop()).toBe(first);
    await asked(1);
    server.reply(new Response("{}"));
    stream.write(ended(1, 0, "cancelled"));
    await first;
    await run.stop();
    expect(server.asked.length).toBe(2);
  });

  test("before the start is answered it waits for the run's id", async () => {
    const run = start();
    const stopped = run.stop();
    await settle();
    expect(server.asked.map(({ method }) => method)).toEqual(["POST"]);
    const stream = server.stream([], { Location: "/chat/stream/r1" });
    expect(await asked(1)).toMatchObject({ method: "DELETE", url: "/chat/stream/r1" });
    server.reply(new Response("{}"));
    stream.write(started + ended(1, 0, "cancelled"));
    await stopped;
    expect(run.getSnapshot().run.outcome).toBe("cancelled");
  });

  test("a start that never reaches the server ends as cancelled here", async () => {
    for (let failures = 0; failures < 4; failures += 1) server.reply(unreachable());
    const run = start();
    await isIn(run, "waiting");
    const stopped = run.stop();
    await vi.advanceTimersByTimeAsync(5000);
    await stopped;
    expect(await run.ended).toMatchObject({ outcome: "cancelled", cancelledBy: "user", runId: null });
    expect(server.asked.every(({ method }) => method === "POST")).toBe(true);
    nothingIsLeft();
  });

  test("a lost DELETE is sent again", async () => {
    const { stream, run } = await begun();
    const stopped = run.stop();
    await asked(1);
    server.reply(unreachable());
    await vi.advanceTimersByTimeAsync(500);
    expect((await asked(2)).method).toBe("DELETE");
    server.reply(new Response("{}"));
    stream.write(ended(1, 0, "cancelled"));
    await stopped;
    nothingIsLeft();
  });

  test("an end that arrives by itself ends the sending", async () => {
    const { stream, run } = await begun();
    const stopped = run.stop();
    await asked(1);
    server.reply(unreachable());
    await settle();
    stream.write(ended(1, 0));
    await stopped;
    expect(run.getSnapshot().run.outcome).toBe("completed");
    nothingIsLeft();
  });

  test("a refusal to stop is told, and stop may be asked for again", async () => {
    const { stream, run } = await begun();
    server.reply(refusal(403));
    await expect(run.stop()).rejects.toMatchObject({ code: "forbidden" });
    expect(run.getSnapshot()).toMatchObject({ isStopping: false, connection: { state: "open" } });
    server.reply(new Response("{}"));
    const again = run.stop();
    await asked(2);
    stream.write(ended(1, 0, "cancelled"));
    await again;
  });

  test("cancelRun cancels a run that nobody reads here", async () => {
    server.reply(unreachable());
    server.reply(new Response("{}"));
    const cancelled = cancelRun("r/1", { platform: server.platform, api: "/api/chat/stream/" });
    await vi.advanceTimersByTimeAsync(500);
    await cancelled;
    expect(server.asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "DELETE /api/chat/stream/r%2F1",
      "DELETE /api/chat/stream/r%2F1",
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("leaving", () => {
  test("leaving closes the connection, and does not cancel the run", async () => {
    server.stream([started, content(1, "Hel")]);
    const run = tail();
    await hasText(run, "Hel");
    run.leave();
    run.leave();
    await expect(run.ended).rejects.toMatchObject({ code: "left" });
    expect(server.asked.map(({ method }) => method)).toEqual(["GET"]);
    expect(server.asked[0]?.signal.aborted).toBe(true);
    expect(run.getSnapshot()).toMatchObject({ connection: { state: "closed" }, run: { text: "Hel", outcome: null } });
    nothingIsLeft();
  });

  test("it ends a wait, too", async () => {
    server.reply(unreachable());
    const run = tail();
    await isIn(run, "waiting");
    run.leave();
    await expect(run.ended).rejects.toMatchObject({ code: "left" });
    nothingIsLeft();
  });

  test("aborting the caller's signal is leaving", async () => {
    const caller = new AbortController();
    server.stream([started]);
    const run = tail({ signal: caller.signal });
    await until(run, (snapshot) => snapshot.run.model === "m");
    caller.abort();
    await expect(run.ended).rejects.toMatchObject({ code: "left" });
    const late = tail({ signal: caller.signal });
    await expect(late.ended).rejects.toMatchObject({ code: "left" });
    expect(server.asked.length).toBe(1);
    nothingIsLeft();
  });
});

describe("on a page that is seen", () => {
  const write = async (stream: Stream, text: string, id: number, afterMs: number) => {
    await vi.advanceTimersByTimeAsync(afterMs);
    stream.write(content(id, text));
    await settle();
  };

  beforeEach(() => {
    server.frameMs = 16;
  });

  test("pieces that come faster than pictures are read together", async () => {
    const stream = server.stream([started]);
    const run = tail();
    await until(run, ({ run: { cursor } }) => cursor === "0");
    const shown: string[] = [];
    run.subscribe(() => shown.push(run.getSnapshot().run.text));
    for (let id = 1; id <= 8; id += 1) await write(stream, `${id}`, id, 4);
    // The first one was waited for; from then on it rests for two pictures.
    expect(shown).toEqual(["1"]);
    await vi.advanceTimersByTimeAsync(3);
    expect(shown).toEqual(["1"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(shown.at(-1)).toBe("12345678");
    stream.write(ended(9, 8));
    expect((await run.ended).text).toBe("12345678");
    nothingIsLeft();
  });

  test("what has arrived is read without a rest, however many pieces it is", async () => {
    const pieces = Array.from({ length: 1_000 }, (_, index) => content(index + 1, "a"));
    server.stream([started, ...pieces, ended(1_001, 1_000)]);
    expect((await tail().ended).text.length).toBe(1_000);
    expect(Date.now()).toBe(0);
  });

  test("pieces that come no faster than pictures are read as they come", async () => {
    const stream = server.stream([started]);
    const run = tail();
    for (let id = 1; id <= 5; id += 1) {
      await write(stream, `${id}`, id, 16);
      expect(run.getSnapshot().run.text.length).toBe(id);
    }
    run.leave();
  });

  test("who leaves in the middle of a rest has left", async () => {
    const stream = server.stream([started]);
    const run = tail();
    await write(stream, "a", 1, 4);
    run.leave();
    await expect(run.ended).rejects.toMatchObject({ code: "left" });
    nothingIsLeft();
  });
});

test("a bug is no broken connection: it rises", async () => {
  const options: RunOptions = { platform: server.platform };
  const bug = new TypeError("undefined is not a function");
  const risen: unknown[] = [];
  const note = (error: unknown) => risen.push(error);
  process.on("unhandledRejection", note);
  const run = tailRun("r1", { ...options, fetch: () => Promise.reject(bug) });
  await expect(run.ended).rejects.toBe(bug);
  expect(run.getSnapshot().failure).toMatchObject({
    code: "unexpected",
    message: "Something went wrong on this page.",
    detail: "TypeError: undefined is not a function",
  });
  await new Promise(setImmediate);
  process.off("unhandledRejection", note);
  expect(risen).toEqual([bug]);
});

test("a state is what its events fold to", async () => {
  server.stream([started, content(1, "Hello")]);
  const run = tail();
  await hasText(run, "Hello");
  const state = reduce(NEW_RUN, [
    { type: "run_started", runId: "r1", model: "m", provider: "p", createdAt: 0 },
    { type: "text", text: "Hello", choice: 0 },
  ], "1");
  expect(run.getSnapshot().run).toEqual(state);
  run.leave();
});
