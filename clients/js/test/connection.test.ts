// Every transition is in the table, and each says what the reader shows.
import { expect, test } from "vitest";

import { type ConnectionSignal, IDLE, NEXT, nextConnection } from "../src/connection.ts";
import type { ConnectionInfo, ConnectionState } from "../src/types.ts";

/** Return the connection after these signals; an interruption says why and until when. */
function after(...signals: ConnectionSignal[]): ConnectionInfo {
  return signals.reduce(
    (connection, signal) =>
      signal === "interrupt"
        ? nextConnection(connection, signal, "The connection broke.", 1500)
        : nextConnection(connection, signal),
    IDLE,
  );
}

test("closed is closed", () => {
  expect(NEXT.closed).toEqual({});
  expect(() => after("close", "connect")).toThrow(
    "no connect when closed",
  );
});

test("every state but closed can be reached, and can be closed", () => {
  const reached = new Set<ConnectionState>(["idle"]);
  for (const state of reached) for (const next of Object.values(NEXT[state])) reached.add(next);
  expect([...reached].sort()).toEqual(Object.keys(NEXT).sort());
  for (const [state, row] of Object.entries(NEXT)) expect(row.close).toBe(state === "closed" ? undefined : "closed");
});

test("a broken connection waits, and says why and until when", () => {
  expect(after("connect", "interrupt")).toEqual({
    state: "waiting",
    attempt: 1,
    retryAtMs: 1500,
    problem: "The connection broke.",
  });
});

test("the problem is shown until the server has answered", () => {
  expect(after("connect", "interrupt", "connect").problem).toBe("The connection broke.");
  expect(after("connect", "interrupt", "connect", "open").problem).toBeNull();
});

test("failures count until something new arrives, not until a connection opens", () => {
  const reopened = after("connect", "interrupt", "connect", "open");
  expect(reopened.attempt).toBe(1);
  expect(nextConnection(reopened, "progress").attempt).toBe(0);
});

test("a wake counts failures from none", () => {
  expect(after("connect", "interrupt", "wake").attempt).toBe(0);
});

test("progress on a good connection changes nothing, so nothing is drawn", () => {
  const open = after("connect", "open");
  expect(nextConnection(open, "progress")).toBe(open);
});
