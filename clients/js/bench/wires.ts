// One answer as bytes: on our native wire, and on the AI SDK's UI message stream.
//
// A list of strings each, one for each token, with what comes before and after it. Knows
// no socket: who sends them decides how many make one write.

/** What the native wire says, as PROTOCOL.md has it: one block for each token. */
export function native(tokens: readonly string[]): string[] {
  const text = tokens.join("");
  const started = { run_id: "bench", model: "bench", provider: "bench", created_at: 1795412154.2 };
  const ended = {
    outcome: "completed",
    finish_reason: "stop",
    usage: { input_tokens: 9, output_tokens: tokens.length },
    length: [...text].length,
    timings: { first_progress_s: 0.2, duration_s: 2.0 },
  };
  return [
    `id: 0\ndata: ${JSON.stringify(started)}\n\n`,
    ...tokens.map((content, at) => `id: ${at + 1}\ndata: ${JSON.stringify({ content })}\n\n`),
    `id: ${tokens.length + 1}\ndata: ${JSON.stringify(ended)}\n\ndata: [DONE]\n\n`,
  ];
}

/** What a server with the AI SDK's `createUIMessageStreamResponse` says for the same answer. */
export function uiMessages(tokens: readonly string[]): string[] {
  const block = (part: object): string => `data: ${JSON.stringify(part)}\n\n`;
  return [
    block({ type: "start" }) + block({ type: "start-step" }) + block({ type: "text-start", id: "0" }),
    ...tokens.map((delta) => block({ type: "text-delta", id: "0", delta })),
    block({ type: "text-end", id: "0" }) +
      block({ type: "finish-step" }) +
      block({ type: "finish" }) +
      "data: [DONE]\n\n",
  ];
}

/** `blocks` joined `size` at a time, as bytes: what one read gives. */
export function writes(blocks: readonly string[], size: number): Uint8Array[] {
  const encoder = new TextEncoder();
  const found: Uint8Array[] = [];
  for (let at = 0; at < blocks.length; at += size) {
    found.push(encoder.encode(blocks.slice(at, at + size).join("")));
  }
  return found;
}
