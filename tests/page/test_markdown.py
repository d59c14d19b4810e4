"""What a model writes is untrusted: formatted where it is harmless, and never understood."""

from __future__ import annotations

import pytest
from playwright.async_api import Dialog, Page, expect

from tests.page.chat import Chat
from tests.page.hostile import GUARD, HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def expect_harmless(page: Page) -> None:
    """Whatever stood there at any moment was of the harmless kind, and nothing ran."""
    assert [] == await page.evaluate("found")
    assert await page.evaluate("!('pwned' in globalThis)")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_p10_nothing_that_a_model_writes_runs_or_asks_elsewhere(
    chat: Chat, page: Page, text: str
) -> None:
    """Whole, and character by character, so that each half of it stands there once."""
    dialogs: list[str] = []

    async def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", note)
    await page.evaluate(GUARD)
    address = page.url
    for pieces in ([text], list(text)):
        run = await chat.ask(text)
        run.say(*pieces, "\n\nThe end.")
        run.end()
        await chat.expect_status("completed")
        await expect(chat.answer).to_contain_text("The end.")
    await expect(chat.questions.last).to_contain_text(text.partition("\n")[0].strip())
    await expect_harmless(page)
    assert [] == dialogs
    assert address == page.url
    assert 1 == len(page.context.pages)


async def test_the_guard_sees_what_gets_past(chat: Chat, page: Page) -> None:
    """What the test above relies on: put there by hand, each of these is found."""
    run = await chat.ask()
    run.say("Text")
    run.end()
    await chat.expect_answer("Text")
    await page.evaluate(GUARD)
    await chat.answer.evaluate(
        """answer => {
          const put = (name, attributes) => Object.assign(
            answer.appendChild(document.createElement("p")).appendChild(
              document.createElement(name)), attributes);
          put("a", { href: "javascript:void 0" });
          put("form", {});
          put("span", {}).style.position = "fixed";
        }"""
    )
    await page.wait_for_function("() => found.length >= 3")
    found = " ".join(await page.evaluate("found"))
    assert all(each in found for each in ("javascript:", "<form", "position: fixed"))


async def test_an_answer_is_formatted(chat: Chat) -> None:
    """Headings, lists, tables and code are what they are called."""
    run = await chat.ask()
    run.say("# Title\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n**bold** and `code`\n")
    run.end()
    await chat.expect_status("completed")
    await expect(chat.answer.get_by_role("heading", name="Title")).to_be_visible()
    await expect(chat.answer.get_by_role("listitem")).to_have_text(["one", "two"])
    await expect(chat.answer.get_by_role("cell")).to_have_text(["1", "2"])
    await expect(chat.answer.locator("strong, [data-streamdown=strong]")).to_have_text("bold")


async def test_a_question_is_text(chat: Chat) -> None:
    """What the reader typed is shown as it was typed, not formatted."""
    run = await chat.ask("**not bold** <b>nor this</b> # nor that")
    run.end()
    await expect(chat.questions.last.locator(".tt-text")).to_have_text(
        "**not bold** <b>nor this</b> # nor that"
    )
    assert 0 == await chat.questions.locator("b, strong, h1").count()


async def test_a_link_opens_elsewhere_and_tells_nobody_where_from(chat: Chat) -> None:
    """In a tab of its own, without a referrer or a handle on ours."""
    run = await chat.ask()
    run.say("See [the docs](https://example.org/docs).")
    run.end()
    await chat.expect_status("completed")
    link = chat.answer.get_by_role("link", name="the docs")
    await expect(link).to_have_attribute("href", "https://example.org/docs")
    await expect(link).to_have_attribute("target", "_blank")
    for word in ("noopener", "noreferrer", "nofollow"):
        assert word in (await link.get_attribute("rel") or "").split()


async def test_a_remote_image_is_a_link_until_it_is_wanted(chat: Chat) -> None:
    """The picture's host learns nothing; the reader is told which host it is."""
    run = await chat.ask()
    run.say("![a cat](https://cats.example/cat.png)")
    run.end()
    await chat.expect_status("completed")
    await expect(chat.answer.get_by_role("link", name="Image from cats.example")).to_be_visible()
    assert 0 == await chat.answer.locator("img").count()


async def test_code_is_copied_as_the_model_wrote_it(chat: Chat, page: Page) -> None:
    """The button says so, and what is on the clipboard is the code to the letter."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = "def greet(name):\n    return f'hello <{name}> & all'\n\n\nprint(greet('x'))"
    run = await chat.ask()
    run.say(f"Look:\n\n```python\n{code}\n```\n")
    run.end()
    await chat.expect_status("completed")
    await expect(chat.answer.locator(".page-code-language")).to_have_text("python")
    await chat.button("Copy code").click()
    await expect(chat.button("Copied")).to_be_visible()
    assert code == (await page.evaluate("navigator.clipboard.readText()")).rstrip("\n")


async def test_code_that_is_still_being_written_is_code_already(chat: Chat) -> None:
    """An open fence does not flicker between text and code."""
    run = await chat.ask()
    run.say("```js\nconst a = 1;\n")
    await expect(chat.answer.locator("pre")).to_contain_text("const a = 1;")
    run.say("const b = 2;\n```\n\nDone.")
    run.end()
    await chat.expect_status("completed")
    await expect(chat.answer.locator("pre")).to_have_count(1)
    await expect(chat.answer.locator("pre")).to_contain_text("const b = 2;")


async def test_a_giant_table_stays_within_its_column(chat: Chat, page: Page) -> None:
    """Forty columns and two hundred rows scroll by themselves; the page stays as wide as it is."""
    row = "| " + " | ".join(f"cell{column}" for column in range(40)) + " |\n"
    run = await chat.ask()
    run.say(row + "|---" * 40 + "|\n", *[row] * 200)
    run.end()
    await chat.expect_status("completed")
    # It goes on under its head once more, so there are more rows than those.
    rows = chat.answer.get_by_role("row")
    await expect(rows.filter(has=page.get_by_role("cell"))).to_have_count(200)
    heads = rows.filter(has=page.get_by_role("columnheader"))
    assert await heads.count() == await chat.answer.get_by_role("table").count() > 1
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    inner = "element => element.scrollWidth - element.clientWidth"
    assert 0 == await chat.log.evaluate(inner)


# The elements that a caret stands in, by their tag and what they say.
CARETS = """() => [...document.querySelectorAll(".tt-text *")]
  .filter((element) => getComputedStyle(element, "::after").content === '""')
  .map((element) => `${element.localName}: ${element.textContent.trim()}`)"""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("One.\n\nTwo", "p: Two"),
        ("\n\n".join(f"Paragraph {number}." for number in range(40)), "p: Paragraph 39."),
        ("# A head", "h1: A head"),
        ("- one\n- two", "li: two"),
        ("1. one\n\n2. two", "p: two"),
        ("- one\n  - in it\n- two\n  - in two", "li: in two"),
        ("> quoted", "p: quoted"),
        ("| a |\n|---|\n| b |", None),
        ("```py\nx = 1", None),
    ],
)
async def test_a_caret_stands_after_the_last_word_and_nowhere_else(
    chat: Chat, page: Page, text: str, where: str | None
) -> None:
    """In a table and in code there is none; at the end it goes."""
    run = await chat.ask()
    run.say(text)
    await expect(chat.answer).to_contain_text(text.rstrip(" |").rsplit(maxsplit=1)[-1])
    await expect(chat.answer.locator(".page-piece, .page-code").first).to_be_visible()
    assert ([] if where is None else [where]) == await page.evaluate(CARETS)
    run.end()
    await chat.expect_status("completed")
    assert [] == await page.evaluate(CARETS)


async def test_the_policy_of_the_page_allows_no_script_of_a_models(page: Page) -> None:
    """Neither inline nor from elsewhere; whatever gets past the markdown stops there."""
    response = await page.request.get(page.url)
    directives = dict(
        directive.strip().partition(" ")[::2]
        for directive in response.headers["content-security-policy"].split(";")
    )
    assert "'none'" == directives["default-src"]
    assert "'unsafe-inline'" not in directives["script-src"]
    assert "'unsafe-eval'" not in directives["script-src"]
    assert "'self'" == directives["connect-src"]
    assert "https:" not in directives["img-src"]
