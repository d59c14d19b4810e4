// What the page makes of its server's word on models and faults, whatever it is.
import { afterEach, expect, test, vi } from "vitest";
import { fetchFaults, fetchModels, NO_MODELS, orderFault } from "../../page/server.ts";

afterEach(() => vi.unstubAllGlobals());

const answers = (body: unknown, status = 200) =>
  vi.stubGlobal("fetch", vi.fn(async () => new Response(JSON.stringify(body), { status })));
const signal = new AbortController().signal;
const CUT = { name: "cut", label: "Cut", description: "Breaks it off." };

test("models are those that the server names", async () => {
  answers({ models: ["a", "b"], default: "a", has_faults: true });
  expect(await fetchModels(signal)).toEqual({ names: ["a", "b"], byDefault: "a", hasFaults: true });
});

test.each([[null, 200], [{ models: "no" }, 200], [{ error: {} }, 503]])("%j is no list", async (body, status) => {
  answers(body, status);
  expect(await fetchModels(signal)).toEqual(NO_MODELS);
});

test("without a network there are no models, and no error", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  expect(await fetchModels(signal)).toEqual(NO_MODELS);
});

test("faults are those that have a name and a label", async () => {
  answers({ actions: [CUT, { name: 1 }, null, { name: "x", label: "X" }] });
  expect(await fetchFaults(signal)).toEqual([CUT, { name: "x", label: "X", description: "" }]);
});

test("a fault is ordered for the run that is under way", async () => {
  answers({ action: "cut", run_id: "r1" });
  expect(await orderFault(CUT, "r1")).toBe("Cut: done.");
  const [url, init] = vi.mocked(fetch).mock.calls[0]!;
  expect([url, JSON.parse(String(init?.body))]).toEqual(["/faults/cut", { run_id: "r1" }]);
});

test("where there is nothing to break, that is said in the server's words", async () => {
  answers({ error: { code: "nothing_to_break", message: "this run has ended" } }, 409);
  expect(await orderFault(CUT, "r1")).toBe("Cut: this run has ended.");
  expect(await orderFault(CUT, null)).toMatch(/No answer is under way/);
});
