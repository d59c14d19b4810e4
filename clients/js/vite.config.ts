// How the page is built: into the Python package, which serves it.
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** Where `npm run dev` finds a server: `tickertape serve`. */
const server = process.env["TICKERTAPE_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  root: folder("page"),
  plugins: [react()],
  // A quarter of what would be loaded, for nothing: see there.
  resolve: {
    alias: { "rehype-raw": folder("page/absent.ts"), "tailwind-merge": folder("page/absent.ts") },
  },
  build: {
    outDir: folder("../../src/tickertape/web/page"),
    emptyOutDir: true,
    // All of them know it by now, and without it nothing runs before the page's own script.
    modulePreload: { polyfill: false },
    // A file of its own for everything, so that the policy needs no data: for scripts or styles.
    assetsInlineLimit: 0,
    // The largest chunk is React with the markdown parser; it is 130 KB as it travels.
    chunkSizeWarningLimit: 600,
    reportCompressedSize: true,
  },
  server: {
    proxy: Object.fromEntries(["/chat", "/models", "/faults"].map((path) => [path, server])),
  },
});
