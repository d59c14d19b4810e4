/**
 * Text that grows, drawn at the cost of what is new.
 *
 * React would write all of it again with every change, which takes longer with every word and loses
 * what the reader has selected. Here new text is appended to the last paragraph; a paragraph that is
 * complete is not touched again. Text only, never markup.
 */
import { useLayoutEffect, useRef } from "react";

export function PlainText({ text }: { text: string }) {
  const element = useRef<HTMLDivElement>(null);
  const shown = useRef("");
  useLayoutEffect(() => {
    if (element.current === null) return;
    // StrictMode, and another text: begin anew.
    if (!element.current.hasChildNodes() || !text.startsWith(shown.current)) {
      element.current.replaceChildren();
      shown.current = "";
    }
    append(element.current, text.slice(shown.current.length));
    shown.current = text;
  }, [text]);
  return <div ref={element} className="tt-plain" />;
}

const PARAGRAPH_END = /\n\n+(?!\n)/g;

function append(element: HTMLDivElement, text: string): void {
  let begin = 0;
  for (const { index, 0: end } of text.matchAll(PARAGRAPH_END)) {
    write(element, text.slice(begin, index + end.length));
    begin = index + end.length;
    element.append(newParagraph());
  }
  write(element, text.slice(begin));
}

function write(element: HTMLDivElement, text: string): void {
  if (text === "") return;
  if (element.lastChild === null) element.append(newParagraph());
  const node = element.lastChild?.firstChild;
  if (node instanceof Text) node.appendData(text);
}

function newParagraph(): HTMLDivElement {
  const paragraph = document.createElement("div");
  paragraph.dir = "auto";
  paragraph.append(document.createTextNode(""));
  return paragraph;
}
