// @vitest-environment jsdom
/** A conversation by itself: asking, following, ending, and what is told when. */
import { expect, test, vi } from "vitest";
import { Conversation } from "../../src/chat/conversation.ts";
import { FakeRun, refuse } from "./fake_server.ts";
import { askAndHear, browser, last, openTab, pass, server, setVisibility, texts, withServer } from "./room.ts";

test("an answer grows as it arrives, and is completed by its outcome alone", async () => {
  const chat = openTab();
  expect(chat.getSnapshot().status).toBe("ready");
  expect(chat.send("Hello?")).toBe(true);
  await pass();
  expect(chat.getSnapshot().status).toBe("waiting");
  server.run.say("Hel").say("lo");
  await pass();
  expect(texts(chat.getSnapshot().messages)).toEqual(["Hello?", "Hello"]);
  expect(chat.getSnapshot().status).toBe("streaming");
  server.run.end();
  await pass();
  expect(chat.getSnapshot().status).toBe("ready");
  expect(last(chat).status).toBe("completed");
  expect(last(chat).run.model).toBe("m");
});

test("the request holds what was said, the model and the fields of the body", async () => {
  const prepareRequest = (request: { messages: readonly unknown[] }) => ({
    ...request,
    messages: [{ role: "system" as const, content: "Be brief." }, ...(request.messages as [])],
  });
  const chat = openTab({ model: "gpt", body: { temperature: 0 }, prepareRequest });
  chat.send("One?");
  await pass();
  server.run.say("1").end();
  await pass();
  chat.send("Two?");
  await pass();
  expect(server.of("POST").at(-1)?.body).toEqual({
    temperature: 0,
    model: "gpt",
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "One?" },
      { role: "assistant", content: "1" },
      { role: "user", content: "Two?" },
    ],
  });
});

test("nothing can be asked while an answer is open, and nothing empty at all", async () => {
  const chat = openTab();
  expect(chat.send("  ")).toBe(false);
  chat.send("One?");
  expect(chat.send("Two?")).toBe(false);
  expect(chat.regenerate()).toBe(false);
  await pass();
  expect(server.of("POST").length).toBe(1);
});

test("listeners are called once per frame, however much arrives in it", async () => {
  const chat = openTab();
  await askAndHear(chat, "Count?", "0");
  const listener = vi.fn();
  chat.subscribe(listener);
  for (let number = 1; number <= 100; number += 1) {
    server.run.say(` ${number}`);
    await Promise.resolve();
  }
  await pass(16);
  expect(listener).toHaveBeenCalledTimes(1);
  await pass(100);
  expect(listener).toHaveBeenCalledTimes(1);
  expect(last(chat).text).toMatch(/ 100$/);
});

test("what has not changed keeps its identity", async () => {
  const chat = openTab();
  chat.send("One?");
  await pass();
  server.run.say("1").end();
  await pass();
  chat.send("Two?");
  await pass();
  const before = chat.getSnapshot().messages;
  const outline = chat.getOutline();
  server.run.say("2");
  await pass();
  const after = chat.getSnapshot().messages;
  expect([0, 1, 2].map((index) => after[index] === before[index])).toEqual([true, true, true]);
  expect(after[3]).not.toBe(before[3]);
  expect(chat.getOutline()).toBe(outline);
  await pass(500);
  expect(chat.getSnapshot().messages).toBe(after);
});

test("p4: stop cancels on the server, waits for its word, and keeps the text", async () => {
  const chat = openTab();
  await askAndHear(chat, "Long?", "Half");
  chat.stop();
  await pass();
  expect(server.of("DELETE").length).toBe(1);
  expect([last(chat).status, last(chat).text]).toEqual(["cancelled", "Half"]);
  expect(chat.getSnapshot().error).toBe(null);
  expect(last(chat).ending?.remedy).toBe("ask");
});

test("p4: who leaves cancels nothing", async () => {
  const chat = openTab();
  await askAndHear(chat, "Long?", "Half");
  chat.close();
  await pass();
  expect(server.of("DELETE").length).toBe(0);
  expect(server.run.readers).toBe(0);
  expect(browser.watchers).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test("clear forgets all and cancels what nobody can come back to", async () => {
  const chat = openTab();
  chat.send("Long?");
  await pass();
  chat.clear();
  expect(chat.getSnapshot().messages).toEqual([]);
  expect(chat.getSnapshot().status).toBe("ready");
  await pass();
  expect(server.of("DELETE").length).toBe(1);
  expect([...browser.texts]).toEqual([]);
});

test("clear before the run is known cancels it once it is", async () => {
  const chat = openTab();
  chat.send("Long?");
  chat.clear();
  await pass(2_000);
  expect(server.of("DELETE").length).toBe(server.runs.length);
  expect(chat.getSnapshot().messages).toEqual([]);
});

test("clear cancels what was left open, too", async () => {
  const chat = openTab();
  chat.send("Long?");
  await pass();
  chat.close();
  new Conversation({ storage: browser.tab(), ...withServer() }).clear();
  await pass();
  expect(server.of("DELETE").length).toBe(1);
  expect([...browser.texts]).toEqual([]);
});

test("p4: a stop that the server does not hear is told, and can be asked for again", async () => {
  const chat = openTab();
  chat.send("Long?");
  await pass();
  server.run.say("Half");
  server.refusals.push(refuse(403, "forbidden"));
  chat.stop();
  await pass();
  expect(chat.getSnapshot().isStopUnheard).toBe(true);
  expect(chat.getSnapshot().status).toBe("streaming");
  chat.stop();
  await pass();
  expect(chat.getSnapshot().isStopUnheard).toBe(false);
  expect(last(chat).status).toBe("cancelled");
});

test("p2: a failed answer keeps its text, says why, and is asked again as a new run", async () => {
  const chat = openTab();
  chat.send("Why?");
  await pass();
  const error = { outcome: "failed", error: "the model stopped", code: "stalled", retryable: true };
  server.run.say("Half").end(error);
  await pass();
  expect(last(chat).status).toBe("failed");
  expect(last(chat).text).toBe("Half");
  expect(chat.getSnapshot().error).toEqual({ message: "The model stopped.", code: "stalled", remedy: "ask" });
  expect(chat.retry()).toBe(true);
  await pass();
  server.run.say("Whole").end();
  await pass();
  expect(texts(chat.getSnapshot().messages)).toEqual(["Why?", "Whole"]);
  const [first, second] = server.of("POST");
  expect(second?.key).not.toBe(first?.key);
  expect(second?.body).toEqual(first?.body);
});

test("p2: a failure that would repeat offers nothing, and its question is not repeated", async () => {
  const chat = openTab();
  server.refusals.push(refuse(413, "too_large", "the question is too long"));
  chat.send("Long?");
  await pass();
  expect(last(chat).status).toBe("failed");
  expect(chat.getSnapshot().error?.remedy).toBe(null);
  expect(chat.retry()).toBe(false);
  chat.send("Short?");
  await pass();
  expect(server.of("POST").at(-1)?.body?.messages).toEqual([{ role: "user", content: "Short?" }]);
});

test("p1: a broken connection is told, and goes on from the cursor", async () => {
  const chat = openTab();
  await askAndHear(chat, "Why?", "Half");
  server.run.cut();
  await pass();
  expect(chat.getSnapshot().connection.state).toBe("waiting");
  expect(chat.getSnapshot().connection.problem).not.toBe(null);
  await pass(5_000);
  server.run.say(" whole").end();
  await pass();
  expect(last(chat).text).toBe("Half whole");
  expect(server.of("GET").map(({ after }) => after)).toEqual(["1"]);
});

test("a run that is no longer kept keeps its text here, with an honest word", async () => {
  const chat = openTab();
  await askAndHear(chat, "Why?", "Before");
  server.refusals.push(refuse(410, "run_trimmed"));
  server.run.cut();
  await pass(5_000);
  expect([last(chat).status, last(chat).text]).toEqual(["lost", "Before"]);
  expect(chat.getSnapshot().error).toEqual({
    message: "The server no longer has the rest of this answer.",
    code: "run_trimmed",
    remedy: "ask",
  });
});

test("p1: a text that the server lost gives way to what it has", async () => {
  const chat = openTab({ isPaced: true });
  await askAndHear(chat, "Why?", "Before");
  server.refusals.push(refuse(409, "records_lost"));
  const lost = server.run;
  server.runs.splice(0, 1, new FakeRun(lost.id));
  server.run.say("Instead of that");
  lost.cut();
  await pass(5_000);
  expect(last(chat).text).toBe("Instead of that");
});

test("p1: a text of another length is not passed over, and can be read again", async () => {
  const chat = openTab();
  chat.send("Why?");
  await pass();
  server.run.say("🧵").end({ length: 99 });
  await pass();
  expect([last(chat).status, chat.getSnapshot().error?.remedy]).toEqual(["lost", "reread"]);
  expect(chat.retry()).toBe(true);
  await pass();
  expect(server.of("GET").at(-1)?.after).toBe(null);
  expect(server.of("POST").length).toBe(1);
});

test("p5: giving up is said, and reconnecting goes on from the cursor", async () => {
  const chat = openTab();
  await askAndHear(chat, "Why?", "Half");
  server.isReachable = false;
  server.run.cut();
  await pass(600_000);
  expect([last(chat).status, chat.getSnapshot().error?.remedy]).toEqual(["lost", "reconnect"]);
  server.isReachable = true;
  chat.retry();
  await pass();
  server.run.say(" whole").end();
  await pass();
  expect(last(chat).text).toBe("Half whole");
  expect(server.of("GET").at(-1)?.after).toBe("1");
});

test("p7: a start that was given up joins its run when it is tried again", async () => {
  const chat = openTab();
  server.losesNextAnswer = true;
  chat.send("Why?");
  await pass(1);
  server.isReachable = false;
  await pass(600_000);
  expect([last(chat).status, chat.getSnapshot().error?.remedy]).toEqual(["lost", "reconnect"]);
  server.isReachable = true;
  chat.retry();
  await pass();
  server.run.say("Once").end();
  await pass();
  expect(last(chat).text).toBe("Once");
  expect(server.runs.length).toBe(1);
});

test("fresh credentials are asked for when the old ones are refused", async () => {
  const getHeaders = vi.fn((why: string) => ({ Authorization: why }));
  const chat = openTab({ getHeaders });
  server.refusals.push(refuse(401, "unauthorized"));
  chat.send("Who?");
  await pass();
  expect(server.of("POST").map(({ authorization }) => authorization)).toEqual(["request", "unauthorized"]);
  expect(chat.getSnapshot().status).toBe("waiting");
});

test("text that came in a burst is shown evenly, and all of it at the end", async () => {
  const chat = openTab({ isPaced: true });
  chat.send("Why?");
  await pass();
  server.run.say("A");
  await pass(200);
  server.run.say("bcdefghijklmnopqrstuvwxyz");
  const lengths = new Set<number>();
  for (let frame = 0; frame < 8; frame += 1) {
    await pass(16);
    lengths.add(last(chat).text.length);
  }
  expect(lengths.size).toBeGreaterThan(3);
  expect(last(chat).run.text.length).toBe(26);
  expect(last(chat).text.length).toBeLessThan(26);
  server.run.end();
  await pass(32);
  expect(last(chat).text.length).toBe(26);
});

test("who wants less motion gets text at once", async () => {
  vi.stubGlobal("matchMedia", () => ({ matches: true }));
  const chat = openTab({ isPaced: undefined as never });
  chat.send("Why?");
  await pass();
  server.run.say("A");
  await pass(200);
  server.run.say("bcdefgh");
  await pass(17);
  expect(last(chat).text).toBe("Abcdefgh");
  vi.unstubAllGlobals();
});

test("a hidden page hears of the end at once, though it gets no frames", async () => {
  const chat = openTab();
  chat.send("Why?");
  await pass();
  setVisibility("hidden");
  server.run.say("All").end();
  await pass(1);
  expect([last(chat).status, last(chat).text]).toEqual(["completed", "All"]);
});

test("a hidden page is up to date the moment it is seen", async () => {
  const chat = openTab();
  chat.send("Why?");
  await pass();
  setVisibility("hidden");
  server.run.say("Some");
  await pass(1);
  expect(last(chat).text).toBe("");
  setVisibility("visible");
  expect(last(chat).text).toBe("Some");
});
