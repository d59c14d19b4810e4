/**
 * Colours code: text in, spans with classes out. Loaded only when the first code block is complete.
 *
 * The 37 languages that highlight.js calls common; other code stays plain. Classes and no inline
 * styles, so that one stylesheet serves both themes and the policy allows no style from elsewhere.
 */
import { common, createLowlight } from "lowlight";

export interface Span {
  readonly text: string;
  /** Space-separated; null for plain text. */
  readonly className: string | null;
}

const lowlight = createLowlight(common);

/** The code as spans, in order; null for a language that is not known here. */
export function highlight(code: string, language: string): Span[] | null {
  if (!lowlight.registered(language)) return null;
  const spans: Span[] = [];
  const walk = (nodes: readonly Node[], classes: readonly string[]) => {
    for (const node of nodes) {
      if (node.type === "text") {
        spans.push({ text: node.value ?? "", className: classes.join(" ") || null });
      } else if (node.children !== undefined) {
        const own = node.properties?.["className"];
        walk(node.children, Array.isArray(own) ? [...classes, ...own.map(String)] : classes);
      }
    }
  };
  walk(lowlight.highlight(language, code).children as Node[], []);
  return spans;
}

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly children?: readonly Node[];
}
