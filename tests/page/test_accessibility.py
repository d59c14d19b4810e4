"""Everybody can use the page: by keyboard, by ear, without motion, in any script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.page.chat import TEXT, Chat, tell_all
from tests.page.server import PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE = Path(__file__).parents[2] / "clients" / "js" / "node_modules" / "axe-core" / "axe.min.js"

MARKDOWN = """
# A heading

Some *words*, a [link](https://example.org/) and `code`.

1. one
2. two

| left | right |
|---|---|
| 1 | 2 |

> A quotation.

```python
def greet(name):
    return f"hello {name}"  # a comment
```

![a cat](https://cats.example/cat.png)
"""


async def expect_no_violations(page: Page) -> None:
    """Run axe-core on what is shown now."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    violations = [
        {
            "rule": violation["id"],
            "help": violation["help"],
            "nodes": [node["html"][:200] for node in violation["nodes"]][:5],
            "why": violation["nodes"][0]["failureSummary"],
        }
        for violation in found["violations"]
    ]
    assert [] == violations, json.dumps(violations, indent=2)


# ---- By rule ----

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_axe_finds_no_violation_in_any_state(
    open_context, server: PageServer, tmp_path: Path, scheme: str, device: dict
) -> None:
    """Empty, waiting, streaming, whole, failed, broken, with the inspector, with a menu.

    A picture of each is kept in the test's folder, for people to look at.
    """
    server.actions = [{"name": "cut", "label": "Cut", "description": "Cuts the connection."}]
    context = await open_context(color_scheme=scheme, **device)
    page = await context.new_page()
    await page.goto(server.url)
    chat = Chat(page, server)

    async def expect_good(state: str) -> None:
        await page.screenshot(path=tmp_path / f"{state}.png")
        await expect_no_violations(page)

    await expect(chat.textbox).to_be_visible()
    await expect_good("empty")
    run = await chat.ask("What can you write?")
    await chat.expect_status("waiting")
    await expect_good("waiting")
    run.say(MARKDOWN)
    await expect(chat.answer).to_contain_text("a comment")
    await expect_good("streaming")
    run.end()
    await chat.expect_status("completed")
    await expect_good("whole")
    run = await chat.ask("Again?")
    run.say("Half of the ")
    await chat.expect_text("Half of the")
    await page.evaluate("draw = 100")  # a backoff that leaves time to look
    run.cut_now()
    await expect(chat.notice).not_to_be_empty()
    await expect_good("broken")
    run.end("failed", error="the model stopped answering", code="stalled", retryable=True)
    await page.evaluate("document.dispatchEvent(new Event('online', {bubbles: true}))")
    await chat.expect_status("failed")
    await expect_good("failed")
    await chat.button("Inspector").click()
    await expect(page.get_by_role("complementary", name="Inspector")).to_be_visible()
    await expect_good("inspector")
    await page.keyboard.press("Alt+i")
    await chat.button("Break it").click()
    await expect(page.get_by_role("menu")).to_be_visible()
    await expect_good("menu")


# ---- By keyboard ----


async def tab_to(page: Page, target: Locator, *, within: int = 30) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(within):
        await page.keyboard.press("Tab")
        if await target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not reach {target}")


async def test_the_keyboard_is_enough(chat: Chat, page: Page, server: PageServer) -> None:
    """Ask in two lines, stop, and ask for another answer without a mouse."""
    await expect(chat.textbox).to_be_focused()
    await page.keyboard.type("One")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await page.keyboard.press("Enter")
    run = await server.run()
    assert "One\ntwo" == server.posts()[0].body["messages"][0]["content"]
    run.say("Well")
    await chat.expect_text("Well")
    await expect(chat.textbox).to_be_focused()
    await page.keyboard.type("draft")
    await page.keyboard.press("Enter")  # sends nothing while an answer is running
    await tab_to(page, chat.button("Stop"))
    await page.keyboard.press("Enter")
    await chat.expect_status("cancelled")
    assert 1 == len(server.posts())
    await expect(chat.textbox).to_have_value("draft")
    await tab_to(page, chat.button("Try again"))
    server.script = tell_all
    await page.keyboard.press("Enter")
    await chat.expect_answer(TEXT)


async def test_enter_in_the_middle_of_a_composition_sends_nothing(
    chat: Chat, server: PageServer
) -> None:
    """Enter chooses a candidate of the input method, and is no send."""
    await chat.textbox.fill("にほ")
    composing = {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True}
    await chat.textbox.dispatch_event("keydown", composing)
    await expect(chat.textbox).to_have_value("にほ")
    await chat.textbox.press("Enter")
    await server.run()
    assert 1 == len(server.posts())


async def test_the_inspector_and_the_menu_by_keyboard(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """They open by a key, close by Escape, and give the focus back."""
    server.actions = [{"name": "cut", "label": "Cut", "description": "Cuts the connection."}]
    await page.reload()
    await expect(chat.button("Break it")).to_be_visible()
    inspector = page.get_by_role("complementary", name="Inspector")
    await page.keyboard.press("Alt+i")
    await expect(inspector).to_be_visible()
    await page.keyboard.press("Alt+i")
    await expect(inspector).to_be_hidden()
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    await chat.button("Break it").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="Cut")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("menu")).to_have_count(0)
    await expect(chat.button("Break it")).to_be_focused()


async def test_code_is_copied_by_keyboard(chat: Chat, page: Page) -> None:
    """The button can be reached, and says what it did."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    run = await chat.ask()
    run.say("```python\nprint(1)\n```\n")
    run.end()
    await chat.expect_status("completed")
    await chat.button("Copy code").focus()
    await page.keyboard.press("Enter")
    await expect(chat.button("Copied")).to_be_focused()
    assert "print(1)" == (await page.evaluate("navigator.clipboard.readText()")).rstrip("\n")


# ---- By ear ----


async def test_a_screen_reader_hears_sentences_and_each_once(chat: Chat, page: Page) -> None:
    """Never half a sentence while it is written, and in the end all of them."""
    await page.evaluate(
        """() => {
          globalThis.heard = [];
          const region = document.querySelector(".tt-live");
          // As a screen reader does: what is added is read, and what changes is read anew.
          new MutationObserver((records) => {
            for (const { type, target, addedNodes } of records) {
              const nodes = type === "characterData" ? [target] : [...addedNodes];
              heard.push(...nodes.map((node) => node.textContent.trim()).filter(Boolean));
            }
          }).observe(region, { subtree: true, childList: true, characterData: true });
        }"""
    )
    await expect(chat.announced).to_have_attribute("aria-live", "polite")
    run = await chat.ask()
    run.say("The first sen", "tence. And half of")
    await page.wait_for_function("() => heard.join(' ').includes('The first sentence.')")
    run.say(" the second", ".")
    run.end()
    await chat.expect_status("completed")
    await page.wait_for_function("() => heard.join(' ').includes('And half of the second.')")
    heard = await page.evaluate("heard")
    assert 1 == " ".join(heard).count("The first sentence.")
    assert 1 == " ".join(heard).count("And half of the second.")
    assert not [each for each in heard if each.endswith(("The first sen", "And half of"))]


async def test_the_log_itself_is_not_announced_word_by_word(chat: Chat) -> None:
    """The role announces additions by default; the live region does it better."""
    assert "off" == await chat.log.get_attribute("aria-live")


# ---- By eye ----


@pytest.mark.parametrize(
    ("text", "side"), [("שלום, עולם. ABC", "right"), ("مرحبا بالعالم", "right"), ("Hello", "left")]
)
async def test_text_begins_on_the_side_of_its_script(chat: Chat, text: str, side: str) -> None:
    """Right-to-left text begins at the right, in questions and answers."""
    run = await chat.ask(text)
    run.say(text)
    run.end()
    await chat.expect_answer(text)
    await chat.expect_status("completed")
    for place in (chat.answer, chat.questions.last.locator(".tt-text")):
        gaps = await place.evaluate(
            """element => {
              const range = document.createRange();
              range.selectNodeContents(element);
              const [text, box] = [range.getBoundingClientRect(), element.getBoundingClientRect()];
              const direction = getComputedStyle(
                document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode().parentElement,
              );
              return { left: text.left - box.left, right: box.right - text.right,
                direction: direction.direction, bidi: direction.unicodeBidi };
            }"""
        )
        expected = {"right": "rtl", "left": "ltr"}[side]
        assert expected == gaps["direction"] or gaps["bidi"] == "plaintext", gaps


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
async def test_nothing_moves_for_those_who_want_no_motion(
    open_context, server: PageServer, motion: str
) -> None:
    """No animation runs while an answer is waited for or flows, unless motion is welcome."""
    context = await open_context(reduced_motion=motion)
    page = await context.new_page()
    await page.goto(server.url)
    chat = Chat(page, server)
    running = """document.getAnimations().filter(
      ({ playState, effect }) => playState === "running" && effect.getTiming().iterations > 1
    ).length"""
    run = await chat.ask()
    await chat.expect_status("waiting")
    waiting = await page.evaluate(running)
    run.say("Text")
    await chat.expect_text("Text")
    flowing = await page.evaluate(running)
    is_moving = waiting > 0 and flowing > 0
    assert (motion == "no-preference") == is_moving
    if motion == "reduce":
        assert 0 == waiting == flowing
