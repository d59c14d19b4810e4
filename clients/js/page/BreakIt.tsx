/**
 * In development: a menu of what can be done to the answer under way, to watch it recover.
 *
 * A menu button as the WAI-ARIA practices describe it: arrows move, Escape closes.
 */
import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { Icon } from "./Icon.tsx";
import { orderFault, type Fault } from "./server.ts";

/** Long enough to read a sentence; the inspector has what comes of it. */
const SAID_SHOWN_MS = 6_000;

interface Props {
  faults: readonly Fault[];
  runId: string | null;
  /** A fault was ordered: a good time to show the inspector. */
  onOrdered: () => void;
}

export function BreakIt({ faults, runId, onOrdered }: Props) {
  const [isOpen, setIsOpen] = useState(false);
  const [said, setSaid] = useState("");
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (said === "") return;
    const timer = setTimeout(() => setSaid(""), SAID_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [said]);

  useEffect(() => {
    if (!isOpen) return;
    setSaid("");
    menu.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    const closeOutside = (event: PointerEvent) => {
      const target = event.target as Node;
      if (!menu.current?.contains(target) && !button.current?.contains(target)) setIsOpen(false);
    };
    document.addEventListener("pointerdown", closeOutside);
    return () => document.removeEventListener("pointerdown", closeOutside);
  }, [isOpen]);

  const close = () => {
    setIsOpen(false);
    button.current?.focus();
  };
  const order = async (fault: Fault) => {
    close();
    onOrdered();
    setSaid(await orderFault(fault, runId));
  };
  const move = (event: KeyboardEvent) => {
    const items = [...(menu.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const now = items.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) items.at(to % items.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div className="page-break">
      <button
        type="button"
        ref={button}
        className="page-quiet"
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onClick={() => setIsOpen(!isOpen)}
      >
        <span>Break it</span>
        <Icon path="M13 3L6 13h5l-1 8 8-11h-5z" />
      </button>
      {isOpen && (
        <div ref={menu} role="menu" aria-label="Break it" className="page-menu" onKeyDown={move}>
          {faults.map((fault) => (
            <button
              key={fault.name}
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => void order(fault)}
            >
              <b>{fault.label}</b>{" "}
              <span>{fault.description}</span>
            </button>
          ))}
        </div>
      )}
      <p role="status" className="page-fault-said" hidden={said === ""}>
        {said}
        {said !== "" && (
          <button type="button" className="page-quiet" aria-label="Dismiss" onClick={() => setSaid("")}>
            ✕
          </button>
        )}
      </p>
    </div>
  );
}
