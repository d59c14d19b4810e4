/**
 * Draws how an answer arrived and how it was shown: characters over time.
 *
 * The gap between the two lines is the display buffer at work; the upright marks are lost
 * connections. Its words are in the facts and the table beside it.
 */
import type { Series } from "./series.ts";
import type { Trace } from "./trace.ts";

const WIDTH = 320;
const HEIGHT = 150;
const PAD = { left: 34, right: 8, top: 10, bottom: 20 };

export function Chart({ trace }: { trace: Trace }) {
  const lastAtMs = endOf(trace);
  const spanMs = Math.max(1, lastAtMs - trace.begunAtMs);
  const most = Math.max(1, trace.arrived.at(-1)?.value ?? 0, trace.shown.at(-1)?.value ?? 0);
  const x = (atMs: number) =>
    PAD.left + ((atMs - trace.begunAtMs) / spanMs) * (WIDTH - PAD.left - PAD.right);
  const y = (value: number) => HEIGHT - PAD.bottom - (value / most) * (HEIGHT - PAD.top - PAD.bottom);
  const round = (value: number) => Math.round(value * 10) / 10;
  // Text arrives at once and stays: steps, not slopes.
  const steps = (series: Series) =>
    series.length === 0
      ? ""
      : series.reduce(
          (path, { atMs, value }) => `${path}H${round(x(atMs))}V${round(y(value))}`,
          `M${round(x(trace.begunAtMs))} ${round(y(0))}`,
        ) + `H${round(x(lastAtMs))}`;
  const arrived = steps(trace.arrived);
  const label =
    `Characters over time: ${trace.arrived.at(-1)?.value ?? 0} arrived and ` +
    `${trace.shown.at(-1)?.value ?? 0} shown in ${seconds(spanMs)}`;
  return (
    <figure className="page-chart">
      <svg role="img" aria-label={label} viewBox={`0 0 ${WIDTH} ${HEIGHT}`}>
        <path className="page-chart-axis" d={`M${PAD.left} ${PAD.top}V${y(0)}H${WIDTH - PAD.right}`} />
        <text x={PAD.left - 5} y={PAD.top + 7} textAnchor="end">{most}</text>
        <text x={PAD.left - 5} y={y(0)} textAnchor="end">0</text>
        <text x={WIDTH - PAD.right} y={HEIGHT - 6} textAnchor="end">{seconds(spanMs)}</text>
        {trace.interruptions.map(({ atMs, resumedAtMs }) => (
          <rect
            key={atMs}
            className="page-chart-outage"
            x={round(x(atMs))}
            width={Math.max(1.5, round(x(resumedAtMs ?? lastAtMs) - x(atMs)))}
            y={PAD.top}
            height={y(0) - PAD.top}
          />
        ))}
        {arrived !== "" && <path className="page-chart-arrived" d={arrived} />}
        <path className="page-chart-shown" d={steps(trace.shown)} />
        {trace.firstTextAtMs !== null && (
          <circle className="page-chart-first" cx={round(x(trace.firstTextAtMs))} cy={round(y(0))} r="3.5" />
        )}
      </svg>
      <figcaption aria-hidden="true">
        <span data-line="arrived">arrived</span>
        <span data-line="shown">shown</span>
        <span data-line="first">first text</span>
        {trace.interruptionCount > 0 && <span data-line="outage">connection lost</span>}
      </figcaption>
    </figure>
  );
}

export const seconds = (ms: number) =>
  ms < 995 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 9_950 ? 2 : 1)} s`;

function endOf(trace: Trace): number {
  const times = [trace.begunAtMs, trace.lastTextAtMs, trace.shown.at(-1)?.atMs, trace.endedAtMs];
  const outage = trace.interruptions.at(-1);
  return Math.max(...times.map((atMs) => atMs ?? 0), outage?.resumedAtMs ?? outage?.atMs ?? 0);
}
