// Prints what the built core weighs, bundled and minified, without the parser; fails over the bound.
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const BOUND_BYTES = 6 * 1024;

/** Return the minified bundle of one entry, without what it depends on. */
async function bundle(entry, external) {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    root: fileURLToPath(new URL("..", import.meta.url)),
    build: {
      write: false,
      minify: true,
      lib: { entry, formats: ["es"], fileName: "bundle" },
      // A library's own build keeps its blanks; an application's, which is measured, does not.
      rolldownOptions: { external, output: { minify: true } },
    },
  });
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((one) => one.output);
  return outputs.filter((one) => one.type === "chunk").map((one) => one.code).join("");
}

const sizeOf = (code) => ({ minified: Buffer.byteLength(code), gzip: gzipSync(code, { level: 9 }).length });
const kilobytes = (bytes) => `${(bytes / 1024).toFixed(2)} KB`;

const core = sizeOf(await bundle("dist/index.js", ["eventsource-parser"]));
const whole = sizeOf(await bundle("dist/index.js", []));
console.log(`core: ${kilobytes(core.gzip)} gzip (${kilobytes(core.minified)} minified), without the parser`);
console.log(`core: ${kilobytes(whole.gzip)} gzip (${kilobytes(whole.minified)} minified), with it`);
if (core.gzip >= BOUND_BYTES) {
  console.error(`the core is over its bound of ${kilobytes(BOUND_BYTES)} gzip; make it smaller`);
  process.exit(1);
}
