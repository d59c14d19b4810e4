/**
 * Which colours the page has: the system's, or the reader's own choice.
 *
 * `public/theme.js` reads what is written here before the page is painted.
 */

export type Theme = "system" | "light" | "dark";

const KEY = "tickertape.theme";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

/** The one that a press of the button leads to. */
export const nextTheme = (theme: Theme): Theme => NEXT[theme];

export function readTheme(root: HTMLElement = document.documentElement): Theme {
  const theme = root.dataset["theme"];
  return theme === "light" || theme === "dark" ? theme : "system";
}

/** Show the theme, and keep it for the next visit where there is storage. */
export function setTheme(theme: Theme, root: HTMLElement = document.documentElement): void {
  if (theme === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Not kept, then; it holds for this visit.
  }
}
