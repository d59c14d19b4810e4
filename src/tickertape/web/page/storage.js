// What this browser remembers: the conversation, and how far its open answer has come.
//
// localStorage, since an answer must be found again after its tab was closed, and sessionStorage
// dies with the tab. The price: the conversation stays on this device until "New chat".
//
// Two values. The conversation changes with each question and each end. `progress` is the open
// answer, rewritten often; its text and cursor are one value, so that no crash can set them
// against each other.

import { randomKey } from "./answer.js";

export const CONVERSATION = "tickertape.1.conversation";
const PROGRESS = "tickertape.1.progress";

export const newConversation = () => ({ id: randomKey(), exchanges: [] });

export function recallConversation() {
  const conversation = read(CONVERSATION) ?? newConversation();
  const answer = conversation.exchanges.at(-1)?.answer;
  const progress = read(PROGRESS);
  if (answer?.status === "open" && progress?.key === answer.key) Object.assign(answer, progress);
  return conversation;
}

export const saveConversation = (conversation) => write(CONVERSATION, conversation);

export const saveProgress = (answer) => write(PROGRESS, answer);

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch (error) {
    console.warn(`Cannot read ${name}; starting afresh.`, error);
    return null;
  }
}

function write(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch (error) {
    console.warn("This browser keeps nothing for the page: a reload will lose the chat.", error);
  }
}
