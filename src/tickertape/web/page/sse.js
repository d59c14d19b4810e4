// Server-sent events: bytes in, blocks out.
//
// Knows the text format only. Any split of the bytes gives the same blocks, and one that is cut
// off at the end is never returned. Source: WHATWG HTML, "Interpreting an event stream".
// Left out on purpose: `event` (this wire has none) and `retry` (the backoff is the reader's own).

// The server merges text into blocks of at most 16,384 characters; far beyond that is no block.
const MAX_LINE_CHARS = 4_194_304;

// Returns a function from a Uint8Array to the list of { id, data } that it completes.
export function createDecoder() {
  const utf8 = new TextDecoder(); // drops a byte order mark, holds back a split character
  let [rest, id, data, isAfterCR] = ["", "", null, false];
  return (bytes) => {
    let text = utf8.decode(bytes, { stream: true });
    if (text === "") return [];
    if (isAfterCR && text[0] === "\n") text = text.slice(1);
    isAfterCR = text.endsWith("\r");
    const lines = (rest + text).split(/\r\n|\r|\n/);
    rest = lines.pop();
    if (rest.length > MAX_LINE_CHARS) throw new RangeError("a server-sent event has an endless line");
    const blocks = [];
    for (const line of lines) {
      const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
      if (line === "" && data !== null) blocks.push({ id, data: data.join("\n") });
      if (line === "") data = null;
      else if (field === "data") (data ??= []).push(value);
      else if (field === "id" && !value.includes("\0")) id = value;
    }
    return blocks;
  };
}
