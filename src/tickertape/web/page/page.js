// The chat page: what the reader does, and what the reader sees.
//
// Knows the elements of index.html. An answer is text, never markup, and is drawn at most once per
// frame. How it gets here is connection.js; what it says is answer.js; what stays is storage.js.

import { forgetText, newAnswer, requestMessages, settle, textOf } from "./answer.js";
import { Connection } from "./connection.js";
import {
  CONVERSATION,
  newConversation,
  recallConversation,
  saveConversation,
  saveProgress,
} from "./storage.js";

const SAVE_INTERVAL_MS = 1_000;

// What the button under an answer says, by the remedy that the answer has.
const REMEDIES = { ask: "Try again", reconnect: "Reconnect", reread: "Load again" };

const byId = (id) => document.getElementById(id);

const connection = new Connection({ changed: noteProgress, settled: noteEnd });

const page = {
  conversation: newConversation(),
  savedAtMs: 0,
  articles: [],
  shownId: null,
  isFollowing: true, // the end of the conversation stays in view
  scrollTop: 0,
  isScheduled: false,
};

const lastAnswer = () => page.conversation.exchanges.at(-1)?.answer;

// ---- What happens -----------------------------------------------------------

function ask(text) {
  page.conversation.exchanges.push({ question: text, answer: newAnswer() });
  saveConversation(page.conversation);
  page.isFollowing = true;
  announce("Waiting for the answer");
  followLast();
}

function followLast() {
  connection.follow(lastAnswer(), requestMessages(page.conversation.exchanges));
}

function noteProgress() {
  if (performance.now() - page.savedAtMs > SAVE_INTERVAL_MS) keepProgress();
  scheduleRender();
}

function keepProgress() {
  if (connection.state === "idle") return;
  page.savedAtMs = performance.now();
  saveProgress(lastAnswer());
}

function noteEnd(answer) {
  saveConversation(page.conversation);
  announce(`${textOf(answer)} ${answer.note}`);
}

function remedy(answer) {
  if (connection.state !== "idle") return;
  if (answer.remedy === "ask") Object.assign(answer, newAnswer());
  if (answer.remedy === "reread") forgetText(answer);
  settle(answer, "open");
  saveConversation(page.conversation);
  followLast();
}

function startNewChat() {
  // Nobody can come back to the old answer: this is the one place where leaving cancels.
  connection.leave({ isCancelling: true });
  show(newConversation());
  saveConversation(page.conversation);
  byId("question").focus();
}

// Shows a conversation, and goes on with its answer if that has not ended.
function show(conversation) {
  page.conversation = conversation;
  page.isFollowing = true;
  if (lastAnswer()?.status === "lost") settle(lastAnswer(), "open");
  if (lastAnswer()?.status === "open") followLast();
  scheduleRender();
}

// Another tab of this browser asked, or began anew: two tabs, one conversation.
function showOtherTabs() {
  const conversation = recallConversation();
  const isSame = conversation.id === page.conversation.id;
  if (isSame && conversation.exchanges.at(-1)?.answer.key === lastAnswer()?.key) return;
  connection.leave();
  show(conversation);
}

// The network is back, or the reader is.
function tryNow() {
  connection.wake();
  if (lastAnswer()?.status === "lost") remedy(lastAnswer());
}

// ---- What is seen -----------------------------------------------------------

function scheduleRender() {
  if (page.isScheduled) return;
  page.isScheduled = true;
  requestAnimationFrame(render);
}

function render() {
  page.isScheduled = false;
  const { id, exchanges } = page.conversation;
  if (page.shownId !== id) page.articles.splice(0).forEach((article) => article.remove());
  page.shownId = id;
  while (page.articles.length < exchanges.length) addArticle(exchanges[page.articles.length]);
  page.articles.forEach((article, index) => renderAnswer(article, exchanges[index].answer));
  byId("welcome").hidden = exchanges.length > 0;
  byId("notice").hidden = connection.notice === "";
  setText(byId("notice"), connection.notice);
  if (lastAnswer()?.model) setText(byId("model"), lastAnswer().model);
  document.body.dataset.connection = connection.state;
  renderSend();
  renderEnd();
}

function addArticle({ question }) {
  const article = byId("exchange").content.firstElementChild.cloneNode(true);
  article.querySelector(".question").textContent = question;
  article.querySelector(".answer").append(""); // the text node that the answer grows in
  article.querySelector("button").addEventListener("click", () => {
    remedy(lastAnswer());
    byId("conversation").focus(); // the button goes away
  });
  byId("conversation").append(article);
  page.articles.push(article);
}

function renderAnswer(article, answer) {
  const [isOpen, text] = [answer.status === "open", textOf(answer)];
  article.dataset.phase = !isOpen ? answer.status : text ? "writing" : "waiting";
  article.ariaBusy = String(isOpen);
  const node = article.querySelector(".answer").firstChild;
  // Appending keeps what the reader has selected; only another text begins anew.
  if (!text.startsWith(node.data)) node.data = "";
  if (text.length > node.length) node.appendData(text.slice(node.length));
  setText(article.querySelector(".typing span"), answer.isThinking ? "Thinking" : "");
  setText(article.querySelector(".note span"), answer.note);
  const button = article.querySelector(".note button");
  button.hidden = answer.remedy === null || answer !== lastAnswer();
  setText(button, REMEDIES[answer.remedy] ?? "");
}

function renderSend() {
  const send = byId("send");
  const isRunning = connection.state !== "idle";
  const isEmpty = byId("question").value.trim() === "";
  send.dataset.mode = isRunning ? "stop" : "send";
  send.ariaLabel = !isRunning ? "Send" : connection.isStopping ? "Stopping" : "Stop";
  // Not `disabled`, which would take the keyboard's focus away.
  send.ariaDisabled = String(isRunning ? connection.isStopping : isEmpty);
}

function renderEnd() {
  const conversation = byId("conversation");
  if (page.isFollowing) conversation.scrollTop = conversation.scrollHeight;
  byId("latest").hidden = page.isFollowing;
}

// Going up leaves the end of the conversation, coming back to it follows again. Text that
// shrinks lowers scrollTop too, but leaves it at the very end.
function noteScroll() {
  const { scrollTop, scrollHeight, clientHeight } = byId("conversation");
  if (scrollHeight - scrollTop - clientHeight <= 2) page.isFollowing = true;
  else if (scrollTop < page.scrollTop) page.isFollowing = false;
  page.scrollTop = scrollTop;
  byId("latest").hidden = page.isFollowing;
}

function showLatest() {
  page.isFollowing = true;
  byId("conversation").focus();
  renderEnd();
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// What a screen reader says: whole sentences, once, when something has changed.
function announce(text) {
  setText(byId("announcer"), text.trim());
}

function fitQuestion() {
  const question = byId("question");
  question.style.height = "auto";
  question.style.height = `${question.scrollHeight}px`;
  renderSend();
}

async function showModel() {
  const response = await fetch("models", { cache: "no-store" });
  const { default: model } = response.ok ? await response.json() : {};
  if (model && !lastAnswer()?.model) setText(byId("model"), model);
}

// ---- Events -----------------------------------------------------------------

function submit(event) {
  event.preventDefault();
  const text = byId("question").value.trim();
  if (connection.state !== "idle" || text === "") return;
  byId("question").value = "";
  fitQuestion();
  ask(text);
}

byId("composer").addEventListener("submit", submit);
byId("send").addEventListener("click", (event) => {
  if (connection.state === "idle") return;
  event.preventDefault();
  // The second click of a double click on Send is no Stop.
  if (event.detail < 2) connection.stop();
});
byId("question").addEventListener("input", fitQuestion);
byId("question").addEventListener("keydown", (event) => {
  // While composing (Chinese, Japanese …) Enter chooses a word.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
});
byId("conversation").addEventListener("scroll", noteScroll, { passive: true });
new ResizeObserver(scheduleRender).observe(byId("conversation"));
byId("latest").addEventListener("click", showLatest);
byId("new-chat").addEventListener("click", startNewChat);
addEventListener("storage", ({ key }) => (key === CONVERSATION || key === null) && showOtherTabs());
addEventListener("online", tryNow);
// A page that is left, reloaded or closed is hidden first.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") tryNow();
  else keepProgress();
});

show(recallConversation());
fitQuestion();
showModel().catch((error) => console.warn("The server does not say which model answers.", error));
