/**
 * What the page asks of its server besides answers: which models there are, and, in development,
 * what can be broken.
 */

export interface Models {
  readonly names: readonly string[];
  readonly byDefault: string | null;
  /** Whether the server was started to have its answers broken. */
  readonly hasFaults: boolean;
}

export const NO_MODELS: Models = { names: [], byDefault: null, hasFaults: false };

export interface Fault {
  readonly name: string;
  readonly label: string;
  readonly description: string;
}

/** Never throws: without a list, the server's own choice is asked. */
export async function fetchModels(signal: AbortSignal): Promise<Models> {
  const body = await fetchJson("/models", signal);
  const names = strings(field(body, "models"));
  const byDefault = field(body, "default");
  const hasFaults = field(body, "has_faults") === true;
  return { names, byDefault: typeof byDefault === "string" ? byDefault : null, hasFaults };
}

/** The faults that can be ordered. Ask only a server that says that it has some. */
export async function fetchFaults(signal: AbortSignal): Promise<readonly Fault[]> {
  const actions = field(await fetchJson("/faults", signal), "actions");
  if (!Array.isArray(actions)) return [];
  return actions.flatMap((action) => {
    const [name, label, description] = ["name", "label", "description"].map((key) => field(action, key));
    if (typeof name !== "string" || typeof label !== "string") return [];
    return [{ name, label, description: typeof description === "string" ? description : "" }];
  });
}

/** Order a fault for a run. Returns what the server said of it, in plain words. */
export async function orderFault(fault: Fault, runId: string | null): Promise<string> {
  if (runId === null) return "No answer is under way. Ask something, and break it while it flows.";
  try {
    const response = await fetch(`/faults/${encodeURIComponent(fault.name)}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ run_id: runId }),
    });
    const body: unknown = await response.json().catch(() => null);
    if (response.ok) return `${fault.label}: done.`;
    const said = field(field(body, "error"), "message");
    return `${fault.label}: ${typeof said === "string" ? said : `the server answered ${response.status}`}.`;
  } catch {
    return "The server can't be reached.";
  }
}

async function fetchJson(path: string, signal: AbortSignal): Promise<unknown> {
  try {
    const response = await fetch(path, { signal, headers: { Accept: "application/json" } });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
