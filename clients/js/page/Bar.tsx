/**
 * The bar on top: which model answers, and the page's few switches.
 */
import type { ReactNode } from "react";
import { Icon } from "./Icon.tsx";
import type { Models } from "./server.ts";
import { nextTheme, type Theme } from "./theme.ts";

interface Props {
  models: Models;
  /** Null for the server's own choice. */
  model: string | null;
  onModel: (model: string) => void;
  isListOpen: boolean;
  onList: () => void;
  isInspecting: boolean;
  onInspect: () => void;
  theme: Theme;
  onTheme: (theme: Theme) => void;
  children?: ReactNode;
}

const THEME_NAMES: Record<Theme, string> = { system: "System", light: "Light", dark: "Dark" };
const THEME_ICONS: Record<Theme, string> = {
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  light: "M12 8a4 4 0 100 8 4 4 0 000-8M12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
  dark: "M20 14.5A8.5 8.5 0 019.5 4a8.5 8.5 0 1010.5 10.5z",
};

export function Bar(props: Props) {
  const { isListOpen, onList, isInspecting, onInspect, theme, onTheme, children } = props;
  return (
    <header className="page-bar">
      <button
        type="button"
        className="page-quiet page-open-list"
        aria-label="Conversations"
        aria-expanded={isListOpen}
        aria-controls="conversations"
        onClick={onList}
      >
        <Icon path="M4 7h16M4 12h16M4 17h16" />
      </button>
      <ModelPicker {...props} />
      <span className="page-space" />
      {children}
      <button
        type="button"
        className="page-quiet"
        aria-pressed={isInspecting}
        aria-keyshortcuts="Alt+I"
        title="How the last answer arrived (Alt+I)"
        onClick={onInspect}
      >
        <span>Inspector</span>
        <Icon path="M4 19V5M4 19h16M7 15l4-5 3 3 5-7" />
      </button>
      <button
        type="button"
        className="page-quiet"
        aria-label={`Theme: ${THEME_NAMES[theme]}`}
        title={`Theme: ${THEME_NAMES[theme]}`}
        onClick={() => onTheme(nextTheme(theme))}
      >
        <Icon path={THEME_ICONS[theme]} />
      </button>
    </header>
  );
}

function ModelPicker({ models, model, onModel }: Props) {
  const chosen = model !== null && models.names.includes(model) ? model : (models.byDefault ?? "");
  if (models.names.length < 2) return <span className="page-model">{chosen}</span>;
  return (
    <select
      className="page-model"
      aria-label="Model"
      value={chosen}
      onChange={(event) => onModel(event.target.value)}
    >
      {models.names.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}
