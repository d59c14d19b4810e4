// How the tests run: the core in plain Node, what draws in jsdom.
// A test that needs a document says `// @vitest-environment jsdom` in its first line.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.test.{ts,tsx}"],
    // A test that waits for what never comes fails, and does not hang.
    testTimeout: 10_000,
  },
});
