// Builds the package into dist/: modules and their types by tsc, the stylesheet as it is.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${folder}dist`, { recursive: true, force: true });
execFileSync("npx", ["tsc", "--project", "tsconfig.build.json"], { cwd: folder, stdio: "inherit" });
if (existsSync(`${folder}src/react/chat.css`)) {
  cpSync(`${folder}src/react/chat.css`, `${folder}dist/react/chat.css`);
}
