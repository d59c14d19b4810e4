/**
 * The drawer that shows how the last answer came: drawn, in facts, and as a table.
 */
import { useSyncExternalStore } from "react";
import { Chart, seconds } from "./Chart.tsx";
import type { Conversation } from "../src/react/index.ts";
import { factsOf, type RunFacts } from "./facts.ts";
import type { Trace } from "./trace.ts";
import type { TraceStore } from "./trace_store.ts";

interface Props {
  traces: TraceStore;
  conversation: Conversation;
  onClose: () => void;
}

export function Inspector({ traces, conversation, onClose }: Props) {
  const trace = useSyncExternalStore(traces.subscribe, traces.getSnapshot);
  const run = useSyncExternalStore(conversation.subscribe, () => lastRun(conversation));
  return (
    <aside
      className="page-inspector"
      aria-label="Inspector"
      onKeyDown={(event) => event.key === "Escape" && onClose()}
    >
      <header>
        <h2>Inspector</h2>
        <button type="button" className="page-quiet" onClick={onClose} aria-label="Close the inspector">
          ✕
        </button>
      </header>
      {trace === null && run === null ? (
        <p className="page-hint">Ask something, and watch the answer arrive.</p>
      ) : (
        <>
          {trace === null ? (
            <p className="page-hint">This answer came before the page was opened. What is known of it:</p>
          ) : (
            <Chart trace={trace} />
          )}
          <dl>
            {factsOf(trace, run).map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          {trace !== null && <Reconnects trace={trace} />}
          {trace !== null && <Table trace={trace} />}
        </>
      )}
    </aside>
  );
}

function lastRun(conversation: Conversation): RunFacts | null {
  const last = conversation.getSnapshot().messages.at(-1);
  return last?.role === "assistant" ? last.run : null;
}

function Reconnects({ trace }: { trace: Trace }) {
  if (trace.interruptionCount === 0) return null;
  return (
    <section>
      <h3>Reconnects</h3>
      <ol>
        {trace.interruptions.map(({ atMs, cursor, problem, resumedAtMs }) => (
          <li key={atMs}>
            <b>{seconds(atMs - trace.begunAtMs)}</b> {problem}
            <br />
            {resumedAtMs === null
              ? "Not resumed yet"
              : `Resumed ${cursor === null ? "from the beginning" : `after ${cursor}`}, ${seconds(resumedAtMs - atMs)} later`}
          </li>
        ))}
      </ol>
    </section>
  );
}

const ROWS = 12;

function Table({ trace }: { trace: Trace }) {
  const every = Math.max(1, Math.ceil(trace.arrived.length / ROWS));
  const rows = trace.arrived.filter((_, index, all) => index % every === 0 || index === all.length - 1);
  return (
    <details>
      <summary>As a table</summary>
      <table>
        <caption>Characters over time</caption>
        <thead>
          <tr>
            <th scope="col">After</th>
            <th scope="col">Arrived</th>
            <th scope="col">Shown</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ atMs, value }) => (
            <tr key={`${atMs}-${value}`}>
              <td>{seconds(atMs - trace.begunAtMs)}</td>
              <td>{value}</td>
              <td>{trace.shown.findLast((point) => point.atMs <= atMs)?.value ?? 0}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
