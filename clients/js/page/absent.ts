/**
 * Stands in for two packages that streamdown brings and the page has no use for; see vite.config.ts.
 *
 * `rehype-raw` parses HTML that a model wrote: here such HTML is text, and there is no parser.
 * `tailwind-merge` arranges classes of a stylesheet that the page does not have.
 */

export default function noHtml(): never {
  throw new Error("the page parses no HTML; Markdown.tsx lists the plugins it has");
}

export const twMerge = (...classes: string[]) => classes.join(" ");
