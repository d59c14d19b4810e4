// An answer: what has arrived of it, the cursor that fits, and how it ended.
//
// Plain values that survive JSON, and functions on them. Knows the payloads of the native wire
// (PROTOCOL.md); no network, no storage, no document.

const FINISH_NOTES = {
  length: "The answer ends here because it reached its length limit.",
  content_filter: "A content filter ended the answer here.",
  tool_calls: "The model asked for a tool, which this page does not offer.",
};

const CANCEL_NOTES = {
  user: "Stopped",
  shutdown: "The server was shut down before the answer was complete.",
  abandoned: "The server stopped the answer because nobody was reading it.",
};

// `key` names the request for ever: a repeated POST joins the run that the first one started.
// `status` is open, or: completed, cancelled, failed (the run's outcomes), lost (out of reach for
// now), damaged (not what the server wrote). `remedy`: ask again, reconnect, reread, or null.
export function newAnswer() {
  return {
    key: randomKey(),
    ...{ runId: null, after: null, text: "", refusal: "", otherLength: 0 },
    ...{ status: "open", note: "", remedy: null },
    ...{ model: "", isThinking: false, isRetryable: false, isReread: false },
  };
}

// crypto.randomUUID exists on HTTPS and localhost only; this page may be read over a home network.
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const textOf = (answer) => answer.text || answer.refusal;

// Text and cursor change together, so whatever is shown or saved fits the cursor.
// Throws SyntaxError for data that is no JSON; the answer is as before.
export function applyBlock(answer, { id, data }) {
  if (data === "[DONE]") return;
  const payload = JSON.parse(data);
  if (payload.outcome !== undefined) applyEnd(answer, payload);
  else if (payload.choice > 0) answer.otherLength += codePoints(payload.content ?? "");
  else if (payload.content !== undefined) answer.text += payload.content;
  else if (payload.refusal !== undefined) answer.refusal += payload.refusal;
  else if (payload.reasoning !== undefined) answer.isThinking = true;
  else if (payload.run_id !== undefined) {
    answer.runId = payload.run_id;
    answer.model = [payload.provider, payload.model].filter(Boolean).join("/");
  }
  if (id !== "") answer.after = id;
}

function applyEnd(answer, end) {
  answer.isRetryable = end.retryable === true;
  if (end.outcome === "completed") settle(answer, "completed", FINISH_NOTES[end.finish_reason]);
  else if (end.outcome === "cancelled") {
    const remedy = end.cancelled_by === "user" ? null : "ask";
    settle(answer, "cancelled", CANCEL_NOTES[end.cancelled_by] ?? "Stopped", remedy);
  } else {
    const reason = sentence(end.error ?? "the server did not say why");
    settle(answer, "failed", reason, answer.isRetryable ? "ask" : null);
  }
  // The run's length is that of all its choices; this page shows the first.
  const length = codePoints(answer.text) + answer.otherLength;
  if (end.length === undefined || end.length === length) return;
  const mismatch =
    `This is not the text that the server wrote: ${length} characters arrived here, ` +
    `${end.length} were sent.`;
  settle(answer, "damaged", `${answer.note} ${mismatch}`.trim(), "reread");
}

export function settle(answer, status, note = "", remedy = null) {
  Object.assign(answer, { status, note, remedy });
}

// So that the run is read again from its beginning.
export function forgetText(answer) {
  Object.assign(answer, { after: null, text: "", refusal: "", otherLength: 0 });
}

export const codePoints = (text) => [...text].length;

export const sentence = (text) =>
  text.charAt(0).toUpperCase() + text.slice(1).replace(/[^.!?…]$/, "$&.");

// What to send for the last exchange's answer. A question that was turned down for good is left
// out: it would take the next one with it.
export function requestMessages(exchanges) {
  return exchanges.flatMap(({ question, answer }) => {
    const said = answer.status === "open" ? "" : textOf(answer);
    if (answer.status === "failed" && !answer.isRetryable && said === "") return [];
    const asked = { role: "user", content: question };
    return said === "" ? [asked] : [asked, { role: "assistant", content: said }];
  });
}
