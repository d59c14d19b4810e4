/**
 * The page: conversations on one side, the chat in the middle, the inspector on the other.
 *
 * Knows which conversation is open and what is shown around it; what is said in it is the chat's.
 */
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Chat, Conversation, useConversation, type AssistantMessage } from "../src/react/index.ts";
import { addressOf, readAddress } from "./address.ts";
import { AnswerText, preloadMarkdown } from "./AnswerText.tsx";
import { Bar } from "./Bar.tsx";
import { BreakIt } from "./BreakIt.tsx";
import { noteQuestion } from "./conversations.ts";
import { browserStorage, createConversationStore } from "./conversation_store.ts";
import { Inspector } from "./Inspector.tsx";
import { fetchFaults, fetchModels, NO_MODELS, type Fault, type Models } from "./server.ts";
import { Sidebar } from "./Sidebar.tsx";
import { readTheme, setTheme, type Theme } from "./theme.ts";
import { createTraceStore } from "./trace_store.ts";
import { Welcome } from "./Welcome.tsx";

const traces = createTraceStore();
const conversations = createConversationStore(browserStorage(), (id) => new Conversation({ id }).clear());

export function App() {
  const list = useSyncExternalStore(conversations.subscribe, conversations.getSnapshot);
  const { models, faults } = useServer();
  const [openId, open] = useOpenId(() => list[0]?.id ?? null);
  const [chosenModel, setChosenModel] = useState<string | null>(null);
  const [theme, setShownTheme] = useState<Theme>(() => readTheme());
  const [isInspecting, setIsInspecting] = useState(false);
  const [isListOpen, setIsListOpen] = useDrawer();

  const model = chosenModel ?? list.find(({ id }) => id === openId)?.model ?? null;
  const options = useMemo(
    () => ({
      id: openId,
      observe: traces.observe,
      // A model that the server no longer has would only be refused.
      ...(model !== null && models.names.includes(model) && { model }),
    }),
    [openId, model, models],
  );
  const conversation = useConversation(options);
  const runId = useSyncExternalStore(conversation.subscribe, () => openRunId(conversation));
  const title = list.find(({ id }) => id === openId)?.title;
  useTitle(conversation, model, title);

  const openConversation = useCallback(
    (id: string) => {
      traces.clear();
      setChosenModel(null);
      setIsListOpen(false);
      open(id);
    },
    [open, setIsListOpen],
  );
  const openNew = useCallback(() => {
    setIsListOpen(false);
    // One that is still empty is as good as another.
    if (conversation.getOutline().length > 0) openConversation(newId());
    else document.querySelector<HTMLElement>(".tt-composer textarea")?.focus();
  }, [conversation, openConversation, setIsListOpen]);
  useKeys({
    onNew: openNew,
    onInspect: () => setIsInspecting((is) => !is),
    onEscape: () => setIsListOpen(false),
  });

  return (
    <div className="page" data-inspector={isInspecting || undefined} data-list={isListOpen || undefined}>
      <Sidebar
        store={conversations}
        list={list}
        openId={openId}
        onOpen={openConversation}
        onNew={openNew}
        onDeletedOpen={openNew}
      />
      {isListOpen && <div className="page-veil" onClick={() => setIsListOpen(false)} />}
      {/* What lies under the drawer is out of reach, for the keyboard, too. */}
      <main className="page-main" inert={isListOpen}>
        <h1 className="tt-unseen">{title ?? "New conversation"}</h1>
        <Bar
          models={models}
          model={model}
          onModel={setChosenModel}
          isListOpen={isListOpen}
          onList={() => setIsListOpen(!isListOpen)}
          isInspecting={isInspecting}
          onInspect={() => setIsInspecting(!isInspecting)}
          theme={theme}
          onTheme={(theme) => {
            setTheme(theme);
            setShownTheme(theme);
          }}
        >
          {faults.length > 0 && (
            <BreakIt faults={faults} runId={runId} onOrdered={() => setIsInspecting(true)} />
          )}
        </Bar>
        <Chat
          conversation={conversation}
          renderText={renderText}
          empty={<Welcome onAsk={(question) => conversation.send(question)} />}
          theme={theme === "system" ? undefined : theme}
          // On a phone it would open the keyboard over half of the page.
          autoFocus={matchMedia("(hover: hover)").matches}
        />
      </main>
      {isInspecting && (
        <Inspector traces={traces} conversation={conversation} onClose={() => setIsInspecting(false)} />
      )}
    </div>
  );
}

function renderText(message: AssistantMessage) {
  return <ShownAnswer message={message} />;
}

function ShownAnswer({ message: { text, ending } }: { message: AssistantMessage }) {
  // The one that is open is the one that is traced.
  const isOpen = ending === null;
  const wasOpen = useRef(isOpen);
  useEffect(() => {
    if (wasOpen.current) traces.show(text);
    wasOpen.current = isOpen;
  }, [text, isOpen]);
  return <AnswerText text={text} isStreaming={isOpen} />;
}

function openRunId(conversation: Conversation): string | null {
  const last = conversation.getSnapshot().messages.at(-1);
  return last?.role === "assistant" && last.ending === null ? last.run.runId : null;
}

function useServer(): { models: Models; faults: readonly Fault[] } {
  const [models, setModels] = useState(NO_MODELS);
  const [faults, setFaults] = useState<readonly Fault[]>([]);
  useEffect(() => {
    const leaving = new AbortController();
    void fetchServer(leaving.signal).then(({ models, faults }) => {
      if (leaving.signal.aborted) return;
      setModels(models);
      setFaults(faults);
    });
    preloadMarkdown();
    return () => leaving.abort();
  }, []);
  return { models, faults };
}

async function fetchServer(signal: AbortSignal) {
  const models = await fetchModels(signal);
  return { models, faults: models.hasFaults ? await fetchFaults(signal) : [] };
}

/** Which conversation is open: the one in the address, or the last one, or a new one. */
function useOpenId(lastId: () => string | null): [string, (id: string) => void] {
  const [id, setId] = useState(() => readAddress() ?? lastId() ?? newId());
  useEffect(() => {
    if (readAddress() === null) history.replaceState(null, "", addressOf(id));
    const follow = () => setId(readAddress() ?? newId());
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, [id]);
  const open = useCallback((id: string) => {
    history.pushState(null, "", addressOf(id));
    setId(id);
  }, []);
  return [id, open];
}

/** Keep the list of conversations, and the window's title, in step with what is asked. */
function useTitle(conversation: Conversation, model: string | null, title: string | undefined) {
  const outline = useSyncExternalStore(conversation.subscribe, conversation.getOutline);
  const asked = outline.findLast(({ role }) => role === "user");
  const askedId = asked?.id;
  useEffect(() => {
    if (asked === undefined) return;
    const { id } = conversation;
    const known = conversations.getSnapshot().find((each) => each.id === id);
    if (known !== undefined && (known.isDeleted || known.askedAtMs >= asked.createdAt)) return;
    const first = outline.find(({ role }) => role === "user") ?? asked;
    conversations.change((list) =>
      noteQuestion(list, { id, question: first.text, atMs: asked.createdAt, model }),
    );
    // What was asked says it all: an answer that grows changes nothing here.
  }, [conversation, askedId]);
  useEffect(() => {
    document.title = title === undefined ? "Tickertape" : `${title} – Tickertape`;
  }, [title]);
}

/**
 * The list of conversations as a drawer, on a narrow screen: whether it is open.
 *
 * The focus goes into it, and back to where it was. A wide screen has no drawer.
 */
function useDrawer(): [boolean, (isOpen: boolean) => void] {
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => {
    if (!isOpen) return;
    const before = document.activeElement;
    document.querySelector<HTMLElement>("#conversations button")?.focus();
    const wide = matchMedia("(min-width: 761px)");
    const close = () => setIsOpen(false);
    wide.addEventListener("change", close);
    return () => {
      wide.removeEventListener("change", close);
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, [isOpen]);
  return [isOpen, setIsOpen];
}

function useKeys({ onNew, onInspect, onEscape }: Record<"onNew" | "onInspect" | "onEscape", () => void>) {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === "Escape") return onEscape();
      if (!event.altKey || event.ctrlKey || event.metaKey) return;
      // By the key's place, since Alt makes other characters of it.
      if (event.code === "KeyI") onInspect();
      else if (event.code === "KeyN") onNew();
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  });
}

const newId = () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
