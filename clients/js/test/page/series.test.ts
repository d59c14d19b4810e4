// A line is bounded, and keeps its shape.
import { expect, test } from "vitest";
import { extend, MAX_POINTS, type Series } from "../../page/series.ts";

const line = (length: number) => {
  let series: Series = [];
  for (let index = 0; index < length; index += 1) series = extend(series, { atMs: index, value: index });
  return series;
};

test("a short line has all its points", () => {
  expect(line(3).map(({ value }) => value)).toEqual([0, 1, 2]);
});

test("a long line keeps its first and its last point, and stays bounded and in order", () => {
  const series = line(50_000);
  expect(series.length).toBeLessThanOrEqual(MAX_POINTS);
  expect(series[0]!.value).toBe(0);
  expect(series.at(-1)!.value).toBe(49_999);
  expect(series.map(({ atMs }) => atMs)).toEqual(series.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
});

test("while nothing changes, the last point moves and none is added", () => {
  const same = [1, 2, 3, 4].reduce<Series>((series, atMs) => extend(series, { atMs, value: 7 }), []);
  expect(same).toEqual([
    { atMs: 1, value: 7 },
    { atMs: 4, value: 7 },
  ]);
});
