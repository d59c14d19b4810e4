/**
 * Draws the connection's state machine from its table, into docs/javascript.md.
 *
 * node scripts/drawing.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { NEXT } from "../src/connection.ts";

export const DOCUMENT = fileURLToPath(new URL("../../../docs/javascript.md", import.meta.url));

/** Return the table as a mermaid diagram: an arrow for each two states, with all of its signals. */
export function drawing(): string {
  const lines = ["stateDiagram-v2", "  [*] --> idle"];
  for (const [from, row] of Object.entries(NEXT)) {
    const signals = new Map<string, string[]>();
    for (const [signal, to] of Object.entries(row)) signals.set(to, [...(signals.get(to) ?? []), signal]);
    for (const [to, names] of signals) lines.push(`  ${from} --> ${to}: ${names.join(", ")}`);
  }
  return [...lines, "  closed --> [*]"].join("\n");
}

/** Return the document with the drawing in the place of the one it has. */
export function redrawn(document: string): string {
  return document.replace(/^```mermaid\n[^`]*```$/m, () => `\`\`\`mermaid\n${drawing()}\n\`\`\``);
}

if (import.meta.main) writeFileSync(DOCUMENT, redrawn(readFileSync(DOCUMENT, "utf8")));
