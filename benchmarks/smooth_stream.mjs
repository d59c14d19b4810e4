// The AI SDK's smoothStream on a trace: arrivals in on stdin, displays out on stdout, both
// JSON arrays of {at_s, text}. The argument is a folder where `npm install ai` was run.
//
// The time is virtual: the SDK lets its delay be replaced, and its transform takes one
// delta after the other, so a delay is a number that grows. Its timers are exact here.
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const require = createRequire(resolve(process.argv[2], "x.js"));
const { smoothStream } = await import(pathToFileURL(require.resolve("ai")).href);
const arrived = JSON.parse(await text(process.stdin));

let now_s = 0;
const delay = async (delay_ms) => {
  now_s += delay_ms / 1000;
};
const stream = smoothStream({ _internal: { delay } })({ tools: {} });
const shown = [];
const reading = stream.readable.pipeTo(
  new WritableStream({
    write(part) {
      if (part.type === "text-delta") shown.push({ at_s: part.at_s ?? now_s, text: part.text });
    },
  }),
);
const writer = stream.writable.getWriter();
for (const { at_s, text } of arrived) {
  now_s = Math.max(now_s, at_s);
  await writer.write({ type: "text-delta", id: "0", text });
}
await writer.write({ type: "text-end", id: "0" }); // this is what makes it give up the last word
await writer.close();
await reading;
console.log(JSON.stringify(shown));
