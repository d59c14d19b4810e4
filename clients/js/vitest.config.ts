// How the tests run: the core in plain Node, what draws in jsdom, and that on React 18 and 19.
// A test that needs a document says `// @vitest-environment jsdom` in its first line.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

declare module "vitest" {
  interface ProvidedContext {
    /** Which React the tests are meant to run on. */
    reactMajor: number;
  }
}

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const react18 = "test/react-18/node_modules";

const common = {
  environment: "node",
  // A test that waits for what never comes fails, and does not hang.
  testTimeout: 10_000,
} as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: "all",
          include: ["test/**/*.test.{ts,tsx}"],
          provide: { reactMajor: 19 },
        },
      },
      {
        resolve: {
          alias: {
            react: pathOf(`${react18}/react`),
            "react-dom": pathOf(`${react18}/react-dom`),
            // Its modules, not its CommonJS: so that it draws with that React, too.
            "@testing-library/react": pathOf(
              "node_modules/@testing-library/react/dist/@testing-library/react.esm.js",
            ),
          },
        },
        test: {
          ...common,
          name: "react-18",
          include: ["test/react/**/*.test.tsx"],
          provide: { reactMajor: 18 },
          server: { deps: { inline: ["@testing-library/react"] } },
        },
      },
    ],
  },
});
