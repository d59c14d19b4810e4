// @vitest-environment jsdom
/** What is kept of a conversation: reloads, full storages, and other tabs. */
import { expect, test } from "vitest";
import { type ChatStorage, memoryStorage } from "../../src/chat/storage.ts";
import { refuse } from "./fake_server.ts";
import { askAndHear, browser, last, openTab, pass, server, setVisibility, texts } from "./room.ts";

test("p4: a reload in the middle of an answer goes on where it was", async () => {
  const before = openTab();
  await askAndHear(before, "Why?", "Half");
  window.dispatchEvent(new Event("pagehide"));
  before.close();
  server.run.say(" and");
  const after = openTab();
  expect(last(after).text).toBe("Half");
  await pass();
  server.run.say(" whole").end();
  await pass();
  expect(last(after).text).toBe("Half and whole");
  expect(server.of("GET").map(({ after: cursor }) => cursor)).toEqual(["1"]);
  expect(server.of("POST").length).toBe(1);
});

test("an answer that ended while the page was closed is there afterwards", async () => {
  const before = openTab();
  before.send("Why?");
  await pass();
  before.close();
  server.run.say("All").end();
  const after = openTab();
  await pass();
  expect([last(after).status, last(after).text]).toEqual(["completed", "All"]);
  await pass(2_000);
  expect(openTab().getSnapshot().status).toBe("ready");
});

test("p7: a reload before the run is known joins it", async () => {
  server.losesNextAnswer = true;
  const before = openTab({ model: "gpt", body: { temperature: 0 } });
  before.send("Why?");
  before.close();
  const after = openTab({ model: "another" });
  await pass(2_000);
  server.run.say("Once").end();
  await pass();
  expect(last(after).text).toBe("Once");
  expect(server.runs.length).toBe(1);
  const [first, ...others] = server.of("POST");
  expect(others.length).toBeGreaterThan(0);
  for (const other of others) expect([other.key, other.body]).toEqual([first?.key, first?.body]);
});

test.each([
  [404, "unknown_run"],
  [410, "run_trimmed"],
])("a reload that finds no run any more says so (%i)", async (status, code) => {
  const before = openTab();
  await askAndHear(before, "Why?", "Half");
  before.close();
  server.refusals.push(refuse(status, code));
  const after = openTab();
  await pass();
  expect([last(after).status, last(after).text]).toEqual(["lost", "Half"]);
  expect(after.getSnapshot().error).toEqual({
    message: "The server no longer has the rest of this answer.",
    code,
    remedy: "ask",
  });
});

test("p1: a reload that finds another history reads the answer again", async () => {
  const before = openTab();
  await askAndHear(before, "Why?", "Half");
  before.close();
  server.refusals.push(refuse(409, "records_lost"));
  const after = openTab();
  await pass();
  server.run.end();
  await pass();
  expect(server.of("GET").map(({ after: cursor }) => cursor)).toEqual(["1", null]);
  expect([last(after).status, last(after).text]).toEqual(["completed", "Half"]);
});

test("while an answer flows it is written once a second at most, text and cursor as one", async () => {
  const chat = openTab();
  await askAndHear(chat, "Count?", "0");
  browser.writes.length = 0;
  for (let number = 1; number <= 100; number += 1) {
    server.run.say(` ${number}`);
    await pass(30);
    const { run } = JSON.parse(browser.texts.get("tickertape.2.chat.default.progress") ?? "{}");
    expect((run.text.match(/\d+/g) ?? []).length).toBe(Number(run.cursor));
  }
  expect(browser.writes.length).toBe(3);
});

test("a storage that is full is told, and nothing else is lost", async () => {
  const chat = openTab();
  browser.isFull = true;
  chat.send("Why?");
  await pass();
  expect(chat.getSnapshot().isKept).toBe(false);
  server.run.say("All").end();
  await pass();
  chat.send("And?");
  await pass();
  expect(texts(chat.getSnapshot().messages)).toEqual(["Why?", "All", "And?", ""]);
  browser.isFull = false;
  server.run.say("More").end();
  await pass();
  expect(chat.getSnapshot().isKept).toBe(true);
  expect(texts(openTab().getSnapshot().messages)).toEqual(["Why?", "All", "And?", "More"]);
});

test("that an answer has ended is not taken back by a storage that was full then", async () => {
  const chat = openTab();
  chat.send("Why?");
  await pass();
  browser.isFull = true;
  server.run.say("All").end();
  await pass();
  expect(chat.send("And?")).toBe(true);
  expect(texts(chat.getSnapshot().messages)).toEqual(["Why?", "All", "And?", ""]);
});

test("that a run is known is kept at once, however lately something was", async () => {
  const chat = openTab();
  for (const question of ["One?", "Two?"]) {
    chat.send(question);
    await pass();
    const { run } = JSON.parse(browser.texts.get("tickertape.2.chat.default.progress") ?? "{}");
    expect(run.runId).toBe(server.run.id);
    server.run.end();
    await pass();
  }
});

test("a storage that throws is as good as none", async () => {
  const refuseAll = () => {
    throw new Error("blocked");
  };
  const chat = openTab({ storage: { read: refuseAll, write: refuseAll, watch: () => () => {} } });
  chat.send("Why?");
  await pass();
  server.run.say("All").end();
  await pass();
  expect(texts(chat.getSnapshot().messages)).toEqual(["Why?", "All"]);
});

test("what is stored and can't be read is as good as not there", () => {
  browser.texts.set("tickertape.2.chat.default", "{");
  expect(openTab().getSnapshot().messages).toEqual([]);
});

test("p1: text whose cursor can't be read is read again", async () => {
  const before = openTab();
  await askAndHear(before, "Why?", "Half");
  before.close();
  for (const [name, text] of browser.texts) browser.texts.set(name, text.replace('"cursor":"1"', '"cursor":"x"'));
  const after = openTab();
  server.run.say(" whole").end();
  await pass();
  expect([last(after).status, last(after).text]).toEqual(["completed", "Half whole"]);
  expect(server.of("GET").map(({ after: cursor }) => cursor)).toEqual([null]);
});

test("an end that was saved but not drawn is there after the reload", async () => {
  const before = openTab();
  before.send("Why?");
  await pass();
  server.run.say("All").end();
  await pass(1);
  window.dispatchEvent(new Event("pagehide"));
  const left = new Map(browser.texts);
  before.close();
  for (const [name, text] of left) browser.texts.set(name, text);
  const after = openTab();
  await pass();
  expect([last(after).status, last(after).text]).toEqual(["completed", "All"]);
  expect(server.of("GET")).toEqual([]);
});

test("asking again in one tab replaces the answer in the other", async () => {
  const [one, two] = [openTab(), openTab()];
  one.send("Why?");
  await pass();
  server.run.say("Bad").end();
  await pass();
  two.regenerate();
  await pass();
  server.run.say("Good").end();
  await pass();
  expect(texts(one.getSnapshot().messages)).toEqual(["Why?", "Good"]);
  expect(texts(openTab().getSnapshot().messages)).toEqual(["Why?", "Good"]);
  expect(server.runs.length).toBe(2);
});

test("a storage that answers late is waited for", async () => {
  const kept = memoryStorage();
  const late: ChatStorage = { ...kept, read: (name) => Promise.resolve(kept.read(name)) };
  const before = openTab({ storage: late });
  expect(before.getSnapshot().status).toBe("loading");
  expect(before.send("Too soon?")).toBe(false);
  await pass();
  before.send("Why?");
  await pass();
  server.run.say("Half");
  before.close();
  const after = openTab({ storage: late });
  await pass();
  server.run.say(" whole").end();
  await pass();
  expect(last(after).text).toBe("Half whole");
});

test("conversations with different ids know nothing of each other", async () => {
  openTab({ id: "one" }).send("Why?");
  expect(openTab({ id: "two" }).getSnapshot().messages).toEqual([]);
  expect(openTab({ id: "one" }).getSnapshot().messages.length).toBe(2);
});

test("another tab shows the question, reads the same run, and both end with the same text", async () => {
  const [one, two] = [openTab(), openTab()];
  await askAndHear(one, "Why?", "Tear it");
  expect(last(two).text).toBe("Tear it");
  expect(server.run.readers).toBe(2);
  server.run.say(" anywhere").end();
  await pass();
  expect([last(one).text, last(two).text]).toEqual(["Tear it anywhere", "Tear it anywhere"]);
  expect(server.runs.length).toBe(1);
  expect([one, two].map((tab) => tab.getSnapshot().status)).toEqual(["ready", "ready"]);
});

test("a stop in one tab ends the answer in the other", async () => {
  const [one, two] = [openTab(), openTab()];
  await askAndHear(one, "Why?", "Half");
  two.stop();
  await pass();
  expect([last(one).status, last(two).status]).toEqual(["cancelled", "cancelled"]);
});

test("a tab can't ask while another one's answer is open", async () => {
  const [one, two] = [openTab(), openTab()];
  one.send("Why?");
  expect(two.send("What?")).toBe(false);
  await pass();
  expect(server.runs.length).toBe(1);
});

test("a tab that sees an end late takes nothing from a tab that has asked on", async () => {
  const [one, two] = [openTab(), openTab()];
  one.send("One?");
  await pass();
  // In the same frame, before the second tab has drawn the end.
  const unsubscribe = one.subscribe(() => {
    if (one.getSnapshot().status !== "ready") return;
    unsubscribe();
    one.send("Two?");
  });
  server.run.say("1").end();
  await pass();
  expect(texts(one.getSnapshot().messages)).toEqual(["One?", "1", "Two?", ""]);
  expect(texts(two.getSnapshot().messages)).toEqual(["One?", "1", "Two?", ""]);
  server.run.say("2").end();
  await pass();
  expect(texts(two.getSnapshot().messages)).toEqual(["One?", "1", "Two?", "2"]);
  expect(texts(openTab().getSnapshot().messages)).toEqual(["One?", "1", "Two?", "2"]);
});

test("a hidden tab holds no connection to another one's answer, and goes on when it is seen", async () => {
  const one = openTab();
  one.send("Why?");
  await pass();
  setVisibility("hidden");
  const two = openTab();
  await pass();
  expect(server.run.readers).toBe(1);
  server.run.say("Half");
  await pass();
  setVisibility("visible");
  await pass();
  expect(server.run.readers).toBe(2);
  expect(last(two).text).toBe("Half");
  expect(server.of("POST").length).toBe(1);
});

test("a conversation cleared in one tab is cleared in the other", async () => {
  const [one, two] = [openTab(), openTab()];
  one.send("Why?");
  await pass();
  two.clear();
  await pass();
  expect(one.getSnapshot().messages).toEqual([]);
  expect(one.getSnapshot().status).toBe("ready");
  expect(server.run.readers).toBe(0);
});
