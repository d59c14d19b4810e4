// A long markdown answer, as models write them, cut into tokens as they cut them.
//
// Made without chance, so that runs can be compared. Knows no wire and no clock.

const SECTIONS: readonly string[] = [
  "## Why answers arrive in pieces\n\n" +
    "A model writes **one token after the other**, and a filter reads each sentence before it " +
    "lets it go. So words come unevenly: some one by one, most of them *in bursts*. People read " +
    "at a pace of their own, naïve or not, and a text that jumps is harder to follow than one " +
    "that flows, whatever the language: 答えは少しずつ届く, ответ приходит частями, " +
    "and a family 👨‍👩‍👧 stays one.\n\n",
  "### What to keep\n\n" +
    "- the **cursor**, as it came: `61`, or `61.2` after a take over;\n" +
    "- the text so far, and nothing that can be computed from it;\n" +
    "- the run's id, which is [all one needs](https://example.com/runs) to go on:\n" +
    "  1. connect again,\n  2. send the cursor,\n  3. add what comes.\n\n",
  "```python\nasync def tail(log: Log, run_id: str, after: Cursor | None) -> AsyncIterator[Batch]:\n" +
    '    """Yield what is stored, then what is written, until the run has ended."""\n' +
    "    while (batch := await log.read(run_id, after=after)) is not None:\n" +
    "        after = batch.cursor\n        yield batch\n        if batch.is_last:\n" +
    "            return\n```\n\n",
  "The order of things matters more than their speed. First the log, then the reader: what was " +
    "shown can then never be lost, and what was lost was never shown. `append` answers when the " +
    "record is stored; only then is anybody woken up.\n\n",
  "| log | a process dies | the machine dies | readers |\n|---|---|---|---:|\n" +
    "| memory | lost | lost | 20,000 |\n| SQLite | kept | lost | 10,000 |\n" +
    "| Redis | kept | **kept** | 100,000 |\n\n",
  "> An end of file is not an end. Only the outcome is; everything else is a connection that " +
    "broke, and a connection that broke is taken up again.\n\n",
  "```ts\nconst run = startRun({ messages }, { api: \"/chat/stream\" });\n" +
    "run.subscribe(() => draw(run.getSnapshot()));\nawait run.ended;\n```\n\n",
  "Now count. With $n$ tokens and a parser that reads the whole text for each of them, the work " +
    "grows with n². At ten thousand tokens that is fifty million tokens read, to show ten " +
    "thousand. A parser that reads what is new has ten thousand to read.\n\n",
];

/** The first `count` tokens of an answer: words with their blank, punctuation, line ends. */
export function tokens(count: number): string[] {
  const found: string[] = [];
  for (let section = 0; found.length < count; section += 1) {
    const text = SECTIONS[section % SECTIONS.length] ?? "";
    // Code points are kept whole: a piece of half an emoji is no text that JSON can carry.
    found.push(...(text.match(/ ?[\p{L}\p{N}_]+|[ \n]?[^\p{L}\p{N}_\s]+|\s/gu) ?? []));
  }
  return found.slice(0, count);
}
