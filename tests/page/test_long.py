"""Long answers and long conversations: what an update costs does not grow with what stands there.

How long a task takes is measured by the benchmarks in clients/js/bench. Here the
work itself is counted: updates for each frame, and nodes for each update. Long
tasks are printed, and only gross ones fail.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.chat import Chat
from tests.page.server import PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TOKENS = 20_000
GROSS_TASK_MS = 500
"""Ten times what a reader would notice; below that it is the machine's word against ours."""

# Counts frames, and what is done to the conversation in each update.
METER = """
  globalThis.meter = { frames: 0, updates: [], elsewhere: 0, longTasks: [] };
  const count = () => { meter.frames += 1; requestAnimationFrame(count); };
  requestAnimationFrame(count);
  new MutationObserver((records) => {
    const articles = document.querySelectorAll("article.tt-message");
    const last = articles[articles.length - 1];
    let nodes = 0;
    for (const { target, addedNodes, removedNodes } of records) {
      const element = target instanceof Element ? target : target.parentElement;
      const article = element?.closest("article");
      if (article == null) continue;
      if (article !== last) meter.elsewhere += 1;
      nodes += 1;
      for (const node of [...addedNodes, ...removedNodes]) {
        nodes += node instanceof Element ? node.querySelectorAll("*").length : 0;
      }
    }
    if (nodes > 0) meter.updates.push(nodes);
  }).observe(document.querySelector("[role=log]"),
    { subtree: true, childList: true, characterData: true });
  new PerformanceObserver((list) => {
    for (const { duration, startTime } of list.getEntries()) {
      meter.longTasks.push([Math.round(startTime), Math.round(duration)]);
    }
  }).observe({ type: "longtask" });
"""


# Repeats the question and answer that the browser keeps.
REPEAT = """(count) => {
  const name = Object.keys(localStorage).find((name) => name.includes(".chat."));
  const kept = JSON.parse(localStorage.getItem(name));
  kept.messages = Array.from({ length: count }, (_, at) => ({
    ...kept.messages[at % 2],
    id: `repeated-${at}`,
  }));
  localStorage.setItem(name, JSON.stringify(kept));
}"""


def paragraphs(tokens: int) -> list[str]:
    """Return so many tokens of markdown: sentences, lists and code, each word another."""
    pieces = []
    for number in range(tokens):
        match number % 100:
            case 0:
                pieces.append(f"\n\n## Part {number}\n\n")
            case 40:
                pieces.append("\n\n- item")
            case 60:
                pieces.append("\n\n```python\nx")
            case 80:
                pieces.append("\n```\n\nThen")
            case _:
                pieces.append(f" w{number}")
    return pieces


async def next_frame(page: Page) -> None:
    await page.evaluate("new Promise(requestAnimationFrame)")


async def stream(page: Page, run, pieces: list[str], *, at_once: int) -> None:
    """Say the pieces, so many for each frame that the page has drawn."""
    for start in range(0, len(pieces), at_once):
        run.say(*pieces[start : start + at_once])
        await next_frame(page)


def report(meter: dict[str, Any], name: str) -> None:
    """Print what was counted: `pytest -s` or a failure shows it."""
    updates = sorted(meter["updates"])
    print(
        f"{name}: {meter['frames']} frames, {len(updates)} updates, nodes for each update: "
        f"median {updates[len(updates) // 2]}, most {updates[-1]}; "
        f"long tasks (start, ms): {meter['longTasks']}"
    )


@pytest.mark.timeout(180)
async def test_twenty_thousand_tokens_cost_one_update_a_frame_of_bounded_work(
    chat: Chat, page: Page
) -> None:
    """As many updates as frames at most; the last ones touch no more nodes than the first."""
    pieces = paragraphs(TOKENS)
    run = await chat.ask()
    run.say("It begins.")
    await expect(chat.answer).to_contain_text("It begins.")
    await page.evaluate(METER)
    await stream(page, run, pieces, at_once=25)
    run.end()
    await expect(chat.answers.last).to_have_attribute("data-status", "completed", timeout=60_000)
    await expect(chat.answer).to_contain_text(pieces[-1].strip())
    meter = await page.evaluate("meter")
    report(meter, f"{TOKENS} tokens")
    # Colouring a block of code that is complete is an update of its own.
    assert len(meter["updates"]) <= meter["frames"] + TOKENS / 100
    # The end may draw the message once more, as one that is whole.
    early, late = meter["updates"][5:105], meter["updates"][-105:-5]
    assert max(late) <= 4 * max(early)
    assert GROSS_TASK_MS > max([0, *(duration for _, duration in meter["longTasks"])])


@pytest.mark.timeout(180)
async def test_five_hundred_messages_cost_an_update_nothing(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """While the last answer grows and the reader types, nothing before it is touched."""
    run = await chat.ask()
    run.say("A **short** answer with `code`.")
    run.end()
    await chat.expect_status("completed")
    await page.goto(f"{server.url}models")  # a document that keeps nothing
    await page.evaluate(REPEAT, 500)
    await page.goto(server.url)
    await expect(chat.messages).to_have_count(500)
    # They become markdown one after the other, the last one first.
    await expect(chat.answers.locator("strong")).to_have_count(250)
    run = await chat.ask("And now?")
    run.say("Well,")
    await expect(chat.answer).to_contain_text("Well,")
    await page.evaluate(METER)
    await chat.textbox.press_sequentially("A draft, typed meanwhile")
    await stream(page, run, paragraphs(500), at_once=5)
    await expect(chat.textbox).to_have_value("A draft, typed meanwhile")
    run.end()
    await chat.expect_status("completed")
    meter = await page.evaluate("meter")
    report(meter, "500 messages")
    assert 0 == meter["elsewhere"]
    assert len(meter["updates"]) <= meter["frames"]
    assert GROSS_TASK_MS > max([0, *(duration for _, duration in meter["longTasks"])])
    await page.reload()
    await expect(chat.messages).to_have_count(502)
