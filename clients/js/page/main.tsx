/** Puts the page on the screen. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./page.css";
import "../src/react/chat.css";
import "./markdown.css";
import { App } from "./App.tsx";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root to draw the page in");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
