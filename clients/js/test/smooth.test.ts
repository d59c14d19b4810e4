// The display buffer shows the same text at the same moment as in every other language.
import { describe, expect, test } from "vitest";

import { DisplayBuffer } from "../src/smooth.ts";
import { vectors } from "./vectors.ts";

type Step = { push?: string; pop?: string; at_s?: number; next_at_s?: number | null; finish?: string };

describe("conformance/smooth", () => {
  test.each(vectors<{ max_delay_s: number; frame_s: number; steps: Step[] }>("smooth"))("$name", (vector) => {
    const buffer = new DisplayBuffer({ maxDelayS: vector.max_delay_s, frameS: vector.frame_s });
    for (const step of vector.steps) {
      if (step.push !== undefined) buffer.push(step.push, step.at_s as number);
      else if (step.pop !== undefined) expect(buffer.pop(step.at_s as number)).toBe(step.pop);
      else if (step.finish !== undefined) expect(buffer.finish()).toBe(step.finish);
      else expect(buffer.nextAtS()).toBe(step.next_at_s);
    }
  });
});

test("a delay that is none is refused", () => {
  expect(() => new DisplayBuffer({ maxDelayS: -1 })).toThrow("must be 0 seconds or more, not -1");
  expect(() => new DisplayBuffer({ frameS: NaN })).toThrow("must be 0 seconds or more, not NaN");
});
