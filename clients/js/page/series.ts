/**
 * A line to draw: points in time, never more than a screen can show.
 *
 * Immutable; when it is full, every other point goes, so that it keeps its shape over any length.
 */

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

export type Series = readonly Point[];

export const MAX_POINTS = 600;

/** The series with one more point, at the same time as the last or later. */
export function extend(series: Series, point: Point): Series {
  const last = series.at(-1);
  if (last !== undefined && last.value === point.value && series.at(-2)?.value === point.value) {
    return [...series.slice(0, -1), point];
  }
  const kept = series.length < MAX_POINTS ? series : series.filter((_, index) => index % 2 === 0);
  return [...kept, point];
}
