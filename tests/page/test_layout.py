"""How the page lies on a screen: a phone's, a narrow window's, and scrolling that yields."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.page.chat import TEXT, Chat
from tests.page.server import PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TO_END = "element => element.scrollHeight - element.scrollTop - element.clientHeight"
FINGER_PX = 44
PHONE = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}


async def test_the_end_stays_in_view_until_the_reader_scrolls_up(chat: Chat, page: Page) -> None:
    """New text scrolls with a reader at the end, and leaves alone one who reads above."""
    latest = chat.button("Jump to latest")
    run = await chat.ask()
    run.say("line\n\n" * 100 + "here")
    await expect(chat.answer).to_contain_text("here")
    await page.wait_for_function(f"() => ({TO_END})(document.querySelector('[role=log]')) <= 1")
    await chat.log.hover()
    await page.mouse.wheel(0, -300)
    await expect(latest).to_be_visible()
    top = await chat.log.evaluate("element => element.scrollTop")
    run.say("\n\nmore" * 100 + " last")
    await expect(chat.answer).to_contain_text("last")
    assert top == await chat.log.evaluate("element => element.scrollTop")
    await latest.click()
    await expect(latest).to_be_hidden()
    await page.wait_for_function(f"() => ({TO_END})(document.querySelector('[role=log]')) <= 1")


async def test_a_phone_shows_all_of_it(open_context, server: PageServer) -> None:
    """On a narrow screen nothing is wider than the screen, and targets fit a finger."""
    context = await open_context(**PHONE)
    page = await context.new_page()
    await page.goto(server.url)
    chat = Chat(page, server)
    run = await chat.ask("W" * 200)
    run.say("W" * 500 + "\n\n```\n" + "x" * 500 + "\n```\n\n" + TEXT)
    await expect(chat.answer).to_contain_text(TEXT)
    assert 360 == await page.evaluate("document.documentElement.scrollWidth")
    assert 0 == await chat.log.evaluate("element => element.scrollWidth - element.clientWidth")
    for button in await page.get_by_role("button").all():
        box = await button.bounding_box()
        if box is not None and await button.is_visible():
            name = await button.evaluate("element => element.outerHTML")
            assert FINGER_PX <= box["height"], name
            assert FINGER_PX <= box["width"], name
            assert 0 <= box["x"], name
            assert 360 >= box["x"] + box["width"], name
    box = await chat.button("Stop").bounding_box()
    assert box is not None
    assert 640 >= box["y"] + box["height"]


async def test_a_phone_has_the_conversations_in_a_drawer(open_context, server: PageServer) -> None:
    """It opens by its button and closes by Escape, and the focus comes back."""
    context = await open_context(**PHONE)
    page = await context.new_page()
    await page.goto(server.url)
    chat = Chat(page, server)
    opener = chat.button("Conversations")
    await expect(opener).to_have_attribute("aria-expanded", "false")
    await opener.click()
    await expect(opener).to_have_attribute("aria-expanded", "true")
    await expect(chat.button("New conversation")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(opener).to_have_attribute("aria-expanded", "false")
    await expect(opener).to_be_focused()


async def test_a_phone_shows_all_of_the_menu(open_context, server: PageServer) -> None:
    """Whatever its button's place is, no part of it lies outside of the screen."""
    server.actions = [{"name": "cut", "label": "Cut", "description": "Cuts the connection." * 3}]
    context = await open_context(**PHONE)
    page = await context.new_page()
    await page.goto(server.url)
    await page.get_by_role("button", name="Break it", exact=True).click()
    await expect(page.get_by_role("menu")).to_be_in_viewport(ratio=1)


async def test_text_at_four_times_its_size_can_be_read(open_context, server: PageServer) -> None:
    """Enlarged by a quarter of the width, nothing is cut off sideways and all can be reached."""
    context = await open_context(viewport={"width": 320, "height": 256})
    page = await context.new_page()
    await page.goto(server.url)
    chat = Chat(page, server)
    run = await chat.ask()
    run.say("Readable.")
    run.end()
    await chat.expect_answer("Readable.")
    assert 320 >= await page.evaluate("document.documentElement.scrollWidth")
    await expect(chat.textbox).to_be_in_viewport()


async def test_the_theme_is_the_readers_choice(chat: Chat, page: Page) -> None:
    """As the system has it, until another is chosen, which is kept."""
    background = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(background)
    await page.emulate_media(color_scheme="dark")
    dark = await page.evaluate(background)
    assert light != dark
    await page.emulate_media(color_scheme="light")
    await page.get_by_role("button", name="Theme: System").click()
    await page.get_by_role("button", name="Theme: Light").click()
    await expect(page.get_by_role("button", name="Theme: Dark")).to_be_visible()
    assert dark == await page.evaluate(background)
    await page.reload()
    assert dark == await page.evaluate(background)
