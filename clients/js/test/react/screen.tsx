/** What is drawn, on fake time. */
import { act, cleanup, render, type RenderResult } from "@testing-library/react";
import { type ReactElement } from "react";
import { afterEach } from "vitest";
import { pass } from "../chat/room.ts";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

afterEach(cleanup);

/** Draw it, with all effects and what they begin. */
export async function draw(element: ReactElement): Promise<RenderResult> {
  const result = render(element);
  await wait(0);
  return result;
}

/** Let everything happen that is under way, some frames pass, and React draw. */
export async function wait(delayMs = 50): Promise<void> {
  await act(() => pass(delayMs));
}
