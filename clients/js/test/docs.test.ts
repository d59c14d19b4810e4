// What the documents say of this package compiles, and is drawn as the code has it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { DOCUMENT, drawing, redrawn } from "../scripts/drawing.ts";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const DOCUMENTS = ["README.md", "docs/react.md", "docs/javascript.md", "docs/your-own-interface.md"];

// Inside of the package, so that what it is tested with is found.
const folder = mkdtempSync(join(PACKAGE, "test/examples-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Example {
  document: string;
  language: string;
  code: string;
}

function examples(): Example[] {
  return DOCUMENTS.flatMap((document) =>
    [...readFileSync(join(ROOT, document), "utf8").matchAll(/^```(tsx?)\n(.*?)^```$/gms)].map(
      ([, language = "", code = ""]) => ({ document, language, code }),
    ),
  );
}

it("compiles every example, as strictly as the package itself", () => {
  const found = examples();
  expect(new Set(found.map(({ document }) => document))).toEqual(new Set(DOCUMENTS));
  for (const [at, { document, language, code }] of found.entries()) {
    const name = document.replaceAll(/\W/g, "_");
    // An example is a module of its own, whether it imports something or not.
    writeFileSync(join(folder, `${name}_${at}.${language}`), `${code}\nexport {};\n`);
  }
  writeFileSync(join(folder, "css.d.ts"), 'declare module "*.css";\n');
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions: {
        paths: {
          tickertape: ["../../src/index.ts"],
          "tickertape/react": ["../../src/react/index.ts"],
        },
      },
      include: ["."],
    }),
  );
  const tsc = join(PACKAGE, "node_modules/typescript/bin/tsc");
  const { stdout, status } = spawnSync(process.execPath, [tsc, "--project", folder], { encoding: "utf8" });
  expect(stdout).toBe("");
  expect(status).toBe(0);
}, 60_000);

it("draws the connection's states as its table has them", () => {
  const document = readFileSync(DOCUMENT, "utf8");
  expect(document).toContain(drawing());
  expect(redrawn(document), "node scripts/drawing.ts draws it anew").toBe(document);
});
