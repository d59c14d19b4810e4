// How the tests run: the core in plain Node, what draws in jsdom, and that on React 18 and 19.
// A test that needs a document says `// @vitest-environment jsdom` in its first line.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const react18 = (name: string) =>
  fileURLToPath(new URL(`test/react-18/node_modules/${name}`, import.meta.url));

const common = {
  environment: "node",
  // A test that waits for what never comes fails, and does not hang.
  testTimeout: 10_000,
} as const;

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: "all", include: ["test/**/*.test.{ts,tsx}"] } },
      {
        resolve: { alias: { react: react18("react"), "react-dom": react18("react-dom") } },
        test: {
          ...common,
          name: "react-18",
          include: ["test/react/**/*.test.tsx"],
          // So that the library draws with that React, too.
          server: { deps: { inline: ["@testing-library/react"] } },
        },
      },
    ],
  },
});
