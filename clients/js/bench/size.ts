// What a reader of a page downloads, in bytes after gzip: our entries beside the AI SDK's.
//
// Each is a file that imports what an application would, bundled and minified by the same
// bundler, without React, which both need. The page is what its index.html loads at once.
//
// node bench/size.ts
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";

const ROOT = join(import.meta.dirname, "..");
const ENTRY = join(ROOT, "bench/entry.js");
const PAGE = join(ROOT, "../../src/tickertape/web/page");

const ENTRIES: Readonly<Record<string, string>> = {
  core: `export { startRun, tailRun, cancelRun } from ${JSON.stringify(join(ROOT, "src/index.ts"))};`,
  hook: `export { useChat } from ${JSON.stringify(join(ROOT, "src/react/index.ts"))};`,
  chat: `export { Chat } from ${JSON.stringify(join(ROOT, "src/react/index.ts"))};`,
  "usual core": `export { AbstractChat, DefaultChatTransport } from "ai";`,
  "usual hook": `export { useChat } from "@ai-sdk/react"; export { DefaultChatTransport } from "ai";`,
};

/** The bytes of one entry: all its chunks, each compressed as a server would. */
async function bundled(source: string, without: readonly string[] = []): Promise<number> {
  const { output } = (await build({
    root: ROOT,
    configFile: false,
    logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [
      {
        name: "entry", // a file that is nowhere
        enforce: "pre",
        resolveId: (id) => (id.endsWith("/entry.js") ? ENTRY : null),
        load: (id) => (id === ENTRY ? source : null),
      },
    ],
    build: {
      write: false,
      minify: true,
      rolldownOptions: {
        input: ENTRY,
        preserveEntrySignatures: "strict",
        external: [/^react($|\/)/, /^react-dom($|\/)/, ...without],
      },
    },
  })) as Rolldown.RolldownOutput;
  return output
    .map((one) => compressed(one.type === "chunk" ? one.code : one.source))
    .reduce((total, bytes) => total + bytes, 0);
}

/** The bytes that the built page loads before anything is clicked; null where it is not built. */
function firstLoad(): number | null {
  const index = join(PAGE, "index.html");
  if (!existsSync(index)) return null;
  const html = readFileSync(index, "utf8");
  const loaded = html.matchAll(/<(?:script|link)\b[^>]*\b(?:src|href)="\.?\/?([^":]+\.(?:js|css))"/g);
  return [...loaded].reduce(
    (total, [, path]) => total + compressed(readFileSync(join(PAGE, path ?? ""))),
    compressed(html),
  );
}

function compressed(content: string | Uint8Array): number {
  return gzipSync(content, { level: 9 }).length;
}

const sizes: Record<string, number | null> = {};
for (const [name, source] of Object.entries(ENTRIES)) sizes[name] = await bundled(source);
sizes["core without its parser"] = await bundled(ENTRIES["core"] ?? "", ["eventsource-parser"]);
sizes["page"] = firstLoad();
console.log(JSON.stringify(sizes));
