// Builds the pages of the benchmark as an application is built: vite build --config bench/vite.config.ts
import { readdirSync } from "node:fs";
import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const root = join(import.meta.dirname, "pages");

export default defineConfig({
  root,
  base: "./",
  plugins: [react()],
  build: {
    emptyOutDir: true,
    rolldownOptions: {
      input: readdirSync(root)
        .filter((name) => name.endsWith(".html"))
        .map((name) => join(root, name)),
    },
  },
});
