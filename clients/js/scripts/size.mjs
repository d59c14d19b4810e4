// Prints what the built core weighs, bundled and minified, without the parser; fails over the bound.
import { rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const BOUND_BYTES = 6 * 1024;

const folder = fileURLToPath(new URL("..", import.meta.url));

/** Return the minified bundle of what an application might import, without what is external. */
async function bundle(code, external) {
  const entry = `${folder}dist/size_entry.js`;
  writeFileSync(entry, code);
  const result = await build({
    configFile: false,
    logLevel: "silent",
    root: folder,
    build: {
      write: false,
      minify: true,
      lib: { entry, formats: ["es"], fileName: "bundle" },
      // A library's own build keeps its blanks; an application's, which is measured, does not.
      rolldownOptions: { external, output: { minify: true } },
    },
  });
  rmSync(entry);
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((one) => one.output);
  return outputs.filter((one) => one.type === "chunk").map((one) => one.code).join("");
}

const sizeOf = (code) => ({ minified: Buffer.byteLength(code), gzip: gzipSync(code, { level: 9 }).length });
const kilobytes = (bytes) => `${(bytes / 1024).toFixed(2)} KB (${bytes} bytes)`;

/** What following a run takes; the display buffer is for those who want it. */
const CORE = `export { cancelRun, NEW_RUN, ReaderError, reduce, startRun, Store, tailRun } from "./index.js";`;
const EVERYTHING = `export * from "./index.js";`;

let isTooLarge = false;
for (const [name, entry, external, boundBytes] of [
  ["core, without the parser", CORE, ["eventsource-parser"], BOUND_BYTES],
  ["core, with the parser", CORE, [], Infinity],
  ["all of it, with the display buffer and the parser", EVERYTHING, [], Infinity],
]) {
  const { minified, gzip } = sizeOf(await bundle(entry, external));
  console.log(`${kilobytes(gzip)} gzip, ${kilobytes(minified)} minified: ${name}`);
  if (gzip >= boundBytes) {
    console.error(`The ${name}, is over its bound of ${kilobytes(boundBytes)} gzip; make it smaller.`);
    isTooLarge = true;
  }
}
if (isTooLarge) process.exit(1);
