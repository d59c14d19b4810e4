/**
 * The list of conversations, as a value: what there is, in which order, under which title.
 *
 * Knows no storage and no screen; `conversation_store.ts` keeps it. What was said is not in it.
 */

export interface Conversation {
  readonly id: string;
  readonly title: string;
  /** UTC, milliseconds since the epoch, of the last question. */
  readonly askedAtMs: number;
  /** The model that was last asked; null for the server's own choice. */
  readonly model: string | null;
  /** Deleted, and can still be brought back until the page is left. */
  readonly isDeleted: boolean;
}

/** The newest first. */
export type Conversations = readonly Conversation[];

export const MAX_TITLE_CHARACTERS = 60;

/** Note a question: it begins the conversation, or brings it to the top. */
export function noteQuestion(
  list: Conversations,
  { id, question, atMs, model }: { id: string; question: string; atMs: number; model: string | null },
): Conversations {
  const known = list.find((each) => each.id === id);
  const title = known?.title ?? titleOf(question);
  return [{ id, title, askedAtMs: atMs, model, isDeleted: false }, ...list.filter((each) => each.id !== id)];
}

/** Give it another title; an empty one changes nothing. */
export function rename(list: Conversations, id: string, title: string): Conversations {
  const words = titleOf(title);
  return words === "" ? list : change(list, id, { title: words });
}

export const remove = (list: Conversations, id: string) => change(list, id, { isDeleted: true });

export const bringBack = (list: Conversations, id: string) => change(list, id, { isDeleted: false });

/** Those that are to be seen, with these words in their title. */
export function find(list: Conversations, words: string): Conversations {
  const wanted = words.trim().toLocaleLowerCase();
  return list.filter((each) => !each.isDeleted && each.title.toLocaleLowerCase().includes(wanted));
}

/** The first line, cut between words where it is long. */
export function titleOf(question: string): string {
  const line = question.trim().split("\n", 1)[0]!.replace(/\s+/g, " ").trim();
  const letters = [...line];
  if (letters.length <= MAX_TITLE_CHARACTERS) return line;
  const cut = letters.slice(0, MAX_TITLE_CHARACTERS - 1).join("");
  const space = cut.lastIndexOf(" ");
  return `${space > MAX_TITLE_CHARACTERS / 2 ? cut.slice(0, space) : cut}…`;
}

/** Read what was stored; what is no list of conversations is none. */
export function parseConversations(text: string | null): Conversations {
  if (text === null) return [];
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter(isConversation) : [];
  } catch {
    return [];
  }
}

function change(list: Conversations, id: string, fields: Partial<Conversation>): Conversations {
  return list.map((each) => (each.id === id ? { ...each, ...fields } : each));
}

function isConversation(value: unknown): value is Conversation {
  if (typeof value !== "object" || value === null) return false;
  const { id, title, askedAtMs, model, isDeleted } = value as Record<string, unknown>;
  return (
    typeof id === "string" &&
    typeof title === "string" &&
    typeof askedAtMs === "number" &&
    (model === null || typeof model === "string") &&
    typeof isDeleted === "boolean"
  );
}
