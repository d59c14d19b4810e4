// Which addresses that a model wrote may be followed.
import { expect, test } from "vitest";
import { safeAddress } from "../../page/links.ts";

test("a web address and a letter's may be followed, and say where they lead", () => {
  expect(safeAddress("https://Docs.Example:8443/a?b#c")).toEqual({
    href: "https://docs.example:8443/a?b#c",
    place: "docs.example:8443",
  });
  expect(safeAddress("mailto:somebody@example.com")?.place).toBe("somebody@example.com");
});

test.each([
  "javascript:alert(1)",
  " javascript:alert(1)",
  "java\nscript:alert(1)",
  "JAVASCRIPT:alert(1)",
  "javascript://example.com/%0Aalert(1)",
  "data:text/html,<script>alert(1)</script>",
  "vbscript:x",
  "file:///etc/passwd",
  "blob:https://example.com/1",
  "//example.com/path",
  "/chat/stream",
  "?q=1",
  "#top",
  "not an address",
  "https://",
  "",
  undefined,
])("%j may not", (written) => {
  expect(safeAddress(written)).toBeNull();
});

test("a name before the host is no place, and is not sent there", () => {
  expect(safeAddress("https://bank.example:1@evil.example/login")).toEqual({
    href: "https://evil.example/login",
    place: "evil.example",
  });
});

test("letters of other scripts that look like Latin ones are shown as what they are", () => {
  expect(safeAddress("https://аpple.com/")?.place).toMatch(/^xn--/);
});
