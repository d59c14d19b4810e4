"""The chat page in a real browser, against a server that does what the test says.

Chromium comes from Debian; without it the tests are skipped on a laptop and
fail in CI. Waiting is always for a condition; where the page itself waits for
long, its clock is moved.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

from tests.web.page_server import Cut, PageServer, Run, refusal, serve_page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The page draws its backoff at random; this draw makes every wait a few milliseconds.
SHORTEST_BACKOFF = "Math.random = () => 0.005"
LONGEST_BACKOFF = "Math.random = () => 0.999999"

WORDS = ["Tear", " it", " anywhere", ":", "\n", " 🧵", "día", " e\u0301", " 日本", " שלום", "."]
TEXT = "".join(WORDS)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for the file."""
    if shutil.which(CHROMIUM) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CHROMIUM} is missing; install Debian's chromium")
        pytest.skip(f"{CHROMIUM} is missing")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[PageServer]:
    """A scripted server for one test."""
    async with serve_page() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser profile for one test."""
    context = await browser.new_context()
    context.set_default_timeout(10_000)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext, server: PageServer) -> AsyncIterator[Page]:
    """The page, open and quick to reconnect. It may raise no error and break no policy."""
    faults: list[str] = []
    await context.add_init_script(SHORTEST_BACKOFF)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on(
        "console",
        lambda message: faults.append(message.text) if "Policy" in message.text else None,
    )
    page = await context.new_page()
    await page.goto(server.url)
    yield page
    assert [] == faults


async def ask(page: Page, server: PageServer, question: str = "What is it?") -> Run:
    """Type a question, send it with Enter, and return the run that it started."""
    number = len(server.runs)
    await page.get_by_label("Your question").fill(question)
    await page.keyboard.press("Enter")
    return await server.run(number)


def answer(page: Page, number: int = -1) -> Locator:
    """Return the text of one answer, the last if not told which."""
    return page.locator(".answer").nth(number)


def note(page: Page) -> Locator:
    """Return what stands under the last answer."""
    return page.locator(".note span").last


async def expect_phase(page: Page, phase: str) -> None:
    """Wait until the last answer is in this phase."""
    await expect(page.locator(".exchange").last).to_have_attribute("data-phase", phase)


async def expect_answer(page: Page, text: str, *, phase: str = "completed") -> None:
    """Wait for the last answer's phase, then compare its text to the letter."""
    await expect_phase(page, phase)
    assert text == await answer(page).text_content()


def tell_all(run: Run) -> None:
    """Say the whole text, a word a block, and end."""
    for word in WORDS:
        run.say(word)
    run.end()


# ---- An answer that goes well ----


async def test_an_answer_appears_word_by_word(page: Page, server: PageServer) -> None:
    """Each word is on the page before the next one is written, and the end ends it."""
    run = await ask(page, server)
    await expect_phase(page, "waiting")
    told = ""
    for word in WORDS:
        run.say(word)
        told += word
        await expect(answer(page)).to_have_text(told, use_inner_text=False)
        await expect_phase(page, "writing")
    run.end()
    await expect_answer(page, TEXT)
    await expect(page.get_by_role("button", name="Send")).to_be_visible()


async def test_the_question_is_sent_with_what_was_said_before(
    page: Page, server: PageServer
) -> None:
    """The second request bears the whole conversation, and a key of its own."""
    server.script = tell_all
    await ask(page, server, "One?")
    await expect_phase(page, "completed")
    await ask(page, server, "Two?")
    await expect_phase(page, "completed")
    said = [("user", "One?"), ("assistant", TEXT), ("user", "Two?")]
    messages = [{"role": role, "content": content} for role, content in said]
    assert {"messages": messages} == server.posts()[1].body
    assert server.posts()[0].key != server.posts()[1].key


async def test_the_header_names_the_model(page: Page, server: PageServer) -> None:
    """Before the first answer, the default model's name is shown."""
    await expect(page.locator("#model")).to_have_text("test/parrot")


async def test_other_choices_and_unknown_payloads_are_left_out(
    page: Page, server: PageServer
) -> None:
    """Only the first choice's text is shown; the length counts all of them."""
    run = await ask(page, server)
    run.emit({"reasoning": "Hm."})
    await expect(page.locator(".typing")).to_have_text("Thinking")
    run.say("One")
    run.emit({"content": "Zwei 🧵", "choice": 1})
    run.emit({"usage": {"output_tokens": 3}})
    run.emit({"tool_call": {"index": 0, "arguments": "{}"}})
    run.emit({"something": {"new": True}})
    run.emit({"choice": 0, "finish_reason": "stop"})
    run.end(length=len("One") + len("Zwei 🧵"))
    await expect_answer(page, "One")
    await expect(note(page)).to_be_empty()


async def test_a_refusal_is_shown_as_the_answer(page: Page, server: PageServer) -> None:
    """A model that refuses has its words shown."""
    run = await ask(page, server)
    run.emit({"refusal": "I will not."})
    run.end(length=0)
    await expect_answer(page, "I will not.")


async def test_an_answer_cut_by_its_length_limit_says_so(page: Page, server: PageServer) -> None:
    """A finish reason other than stop is put into words."""
    run = await ask(page, server)
    run.say("Once upon")
    run.end(finish_reason="length")
    await expect_answer(page, "Once upon")
    await expect(note(page)).to_contain_text("length limit")


async def test_markup_in_an_answer_is_text(page: Page, server: PageServer) -> None:
    """Markup, in a question or an answer, is shown and never understood."""
    markup = "<img src=x onerror=alert(1)><b>bold</b> &amp; <script>alert(2)</script>"
    run = await ask(page, server, markup)
    run.say(markup)
    run.end()
    await expect_answer(page, markup)
    assert markup == await page.locator(".question").text_content()
    assert 0 == await page.locator("#conversation :is(img, b, script)").count()


async def test_a_screen_reader_hears_an_answer_once(page: Page, server: PageServer) -> None:
    """Nothing is announced word by word; at the end the whole answer is."""
    run = await ask(page, server)
    run.say("Half of")
    await expect_phase(page, "writing")
    await expect(page.locator("#announcer")).to_have_text("Waiting for the answer")
    run.say(" it.")
    run.end()
    await expect(page.locator("#announcer")).to_have_text("Half of it.")


# ---- Stop ----


async def test_stop_cancels_the_run_and_keeps_the_text(page: Page, server: PageServer) -> None:
    """Stop deletes the run; what had arrived stays, and the page says that it was stopped."""
    run = await ask(page, server)
    run.say("As far as")
    await expect_phase(page, "writing")
    await page.get_by_role("button", name="Stop").click()
    await expect_answer(page, "As far as", phase="cancelled")
    await expect(note(page)).to_have_text("Stopped")
    assert run.is_cancelled
    await page.reload()
    await expect_answer(page, "As far as", phase="cancelled")


async def test_stop_waits_for_the_servers_word(page: Page, server: PageServer) -> None:
    """Text that was written before the stop took effect is part of the answer."""
    run = await ask(page, server)
    run.holds_cancel = True
    run.say("As far")
    await expect_phase(page, "writing")
    await page.get_by_role("button", name="Stop").click()
    await server.until(lambda server: run.is_cancelled)
    await expect(page.get_by_role("button", name="Stopping")).to_be_visible()
    run.say(" as that")
    run.end("cancelled", cancelled_by="user")
    await expect_answer(page, "As far as that", phase="cancelled")


async def test_stop_before_the_run_is_known_cancels_it_once_it_is(
    page: Page, server: PageServer
) -> None:
    """A stop while the server's headers are outstanding is not forgotten."""
    server.headers_gate.clear()
    run = await ask(page, server)
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("button", name="Stopping")).to_be_visible()
    server.headers_gate.set()
    await expect_phase(page, "cancelled")
    assert run.is_cancelled


async def test_stop_while_the_connection_is_broken_deletes_once(
    page: Page, server: PageServer
) -> None:
    """A stop that the server has heard is not sent with every new connection."""
    run = await ask(page, server)
    run.holds_cancel = True
    run.say("As far")
    await expect_phase(page, "writing")
    await page.get_by_role("button", name="Stop").click()
    await server.until(lambda server: run.is_cancelled)
    run.cut_now()
    await server.until(lambda server: server.asked[-1].method == "GET")
    run.end("cancelled", cancelled_by="user")
    await expect_answer(page, "As far", phase="cancelled")
    assert 1 == len([asked for asked in server.asked if asked.method == "DELETE"])


# ---- Connections that break ----


async def test_p1_a_connection_cut_at_any_byte_loses_and_repeats_nothing(
    page: Page, server: PageServer
) -> None:
    """Cut inside a block, a line, a character, or between blocks: the text is there once."""
    whole = Run("run-00")
    tell_all(whole)
    body = b"".join(whole.blocks).removesuffix(b"data: [DONE]\n\n")
    thread = body.index("🧵".encode())
    cuts = [*range(thread - 10, thread + 36, 2), *range(1, len(body), 37)]

    for number, cut in enumerate(cuts):

        def script(run: Run, cut: int = cut) -> None:
            run.cuts.append(Cut(cut, is_clean=cut % 3 == 0))
            tell_all(run)

        server.script = script
        await ask(page, server)
        await expect(page.locator(".exchange")).to_have_count(1)
        await expect_answer(page, TEXT)
        assert number + 1 == len(server.runs)
        await page.get_by_role("button", name="New chat").click()
        await expect(page.locator(".exchange")).to_have_count(0)


async def test_p1_many_cuts_of_one_answer(page: Page, server: PageServer) -> None:
    """A connection that breaks again and again brings the text a little further each time."""
    words = [f"word {number} " for number in range(30)]

    def script(run: Run) -> None:
        # One block fits between two cuts, which is progress: no number of them is too many.
        run.cuts.extend(
            Cut(60 if number else 120, is_clean=number % 2 == 0) for number in range(20)
        )
        for word in words:
            run.say(word)
        run.end()

    server.script = script
    await ask(page, server)
    await expect_answer(page, "".join(words))
    assert 1 == len(server.posts())
    assert 21 == len(server.asked)


async def test_p2_an_end_of_the_body_without_an_outcome_is_no_end(
    page: Page, server: PageServer
) -> None:
    """A body that ends properly but says no outcome: the page reads on from its cursor."""
    server.script = lambda run: run.cuts.append(Cut(len(run.blocks[0]) + 20, is_clean=True))
    run = await ask(page, server)
    run.say("Not yet")
    run.say(" done")
    await server.until(lambda server: server.asked[-1].method == "GET")
    await expect(answer(page)).to_have_text("Not yet done")
    await expect_phase(page, "writing")
    run.end()
    await expect_answer(page, "Not yet done")
    assert "0" == server.asked[-1].after


async def test_a_broken_connection_is_told_and_healed(page: Page, server: PageServer) -> None:
    """While the page tries again it says so, keeps the text, and goes on by itself."""
    await page.evaluate(LONGEST_BACKOFF)
    await page.clock.install()
    run = await ask(page, server)
    run.say("Before")
    await expect_phase(page, "writing")
    run.cut_now()
    await expect(page.locator("#notice")).to_contain_text("Reconnecting")
    await expect(answer(page)).to_have_text("Before")
    run.say(" and after")
    run.end()
    await page.clock.run_for(1_000)
    await expect_answer(page, "Before and after")
    await expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.parametrize("event", ["online", "visibilitychange"])
async def test_a_reader_who_comes_back_does_not_wait(
    page: Page, server: PageServer, event: str
) -> None:
    """A network that is back, or a tab that is looked at again, ends the backoff."""
    await page.evaluate("Math.random = () => 100")  # a backoff of 50 s
    run = await ask(page, server)
    run.say("Before")
    await expect_phase(page, "writing")
    run.cut_now()
    await expect(page.locator("body")).to_have_attribute("data-connection", "waiting")
    run.end()
    await page.evaluate(f"document.dispatchEvent(new Event('{event}', {{bubbles: true}}))")
    await expect_answer(page, "Before")


async def test_p5_a_silent_connection_is_given_up(page: Page, server: PageServer) -> None:
    """A connection that brings not even heartbeats is taken for dead, and made anew."""
    await page.clock.install()
    run = await ask(page, server)
    run.say("Before")
    await expect_phase(page, "writing")
    await page.clock.run_for(41_000)
    await server.until(lambda server: server.asked[-1].method == "GET")
    run.end()
    await page.clock.run_for(1_000)
    await expect_answer(page, "Before")


async def test_p5_headers_that_never_come_are_asked_for_again(
    page: Page, server: PageServer
) -> None:
    """A start that is not answered is repeated with its key, and joins the same run."""
    await page.clock.install()
    server.headers_gate.clear()
    run = await ask(page, server)
    await page.clock.run_for(21_000)
    await server.until(lambda server: len(server.posts()) == 2)
    run.say("Late")
    run.end()
    server.headers_gate.set()
    await expect_answer(page, "Late")
    assert 1 == len({asked.key for asked in server.posts()}) == len(server.runs)


async def test_giving_up_is_said_and_reconnect_goes_on(page: Page, server: PageServer) -> None:
    """After its budget the page says that it has given up; the button goes on at the cursor."""
    run = await ask(page, server)
    run.say("Before")
    await expect_phase(page, "writing")
    server.refusals.extend(refusal(502, "x", "x") for _ in range(20))
    run.cut_now()
    await expect_answer(page, "Before", phase="lost")
    await expect(note(page)).to_contain_text("given up")
    assert 5 == len(server.refusals)
    server.refusals.clear()
    run.say(" and after")
    run.end()
    await page.get_by_role("button", name="Reconnect").click()
    await expect_answer(page, "Before and after")
    assert 1 == len(server.posts())


# ---- Starts that fail ----


async def test_p7_a_busy_server_is_asked_again_with_the_same_key(
    page: Page, server: PageServer
) -> None:
    """Retry-After is kept to, and the start is the same start."""
    await page.clock.install()
    server.refusals.append(refusal(503, "busy", "no room", Retry_After="60"))
    server.script = tell_all
    await page.get_by_label("Your question").fill("Now?")
    await page.keyboard.press("Enter")
    await expect(page.locator("#notice")).to_have_text("The server is busy. Trying again in 60 s …")
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await page.clock.run_for(40_000)
    assert 1 == len(server.posts())
    await page.clock.run_for(21_000)
    await expect_answer(page, TEXT)
    assert server.posts()[0].key == server.posts()[1].key
    assert server.posts()[0].body == server.posts()[1].body


async def test_p7_a_start_whose_answer_is_lost_joins_the_same_run(
    page: Page, server: PageServer
) -> None:
    """The server made the run, its answer was lost: the repeated start finds that run."""
    server.loses_next_answer = True
    server.script = tell_all
    await ask(page, server)
    await expect_answer(page, TEXT)
    assert 1 == len(server.runs)
    assert 1 < len(server.posts())
    assert 1 == len({asked.key for asked in server.posts()})


async def test_a_refused_question_says_why(page: Page, server: PageServer) -> None:
    """What the server has against the request is shown, and is not repeated at it."""
    server.refusals.append(refusal(413, "too_large", "the question is too long", Retry_After="1"))
    await page.get_by_label("Your question").fill("Long?")
    await page.keyboard.press("Enter")
    await expect_phase(page, "failed")
    await expect(note(page)).to_have_text("The question is too long.")
    await expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    run = await ask(page, server, "Short?")
    run.end()
    assert [{"role": "user", "content": "Short?"}] == server.posts()[-1].body["messages"]


# ---- Answers that fail ----


async def test_p2_a_failed_answer_keeps_its_text_says_why_and_can_be_tried_again(
    page: Page, server: PageServer
) -> None:
    """The partial text stays until the reader tries again, which is a new start."""
    run = await ask(page, server)
    run.say("Half of")
    run.end("failed", error="the model stopped answering", code="stalled", retryable=True)
    await expect_answer(page, "Half of", phase="failed")
    await expect(note(page)).to_have_text("The model stopped answering.")
    server.script = tell_all
    await page.get_by_role("button", name="Try again").click()
    await expect_answer(page, TEXT)
    assert server.posts()[0].key != server.posts()[1].key
    assert server.posts()[0].body == server.posts()[1].body


async def test_p2_a_failure_that_would_repeat_offers_no_retry(
    page: Page, server: PageServer
) -> None:
    """Where trying again can't help, the page doesn't offer it."""
    run = await ask(page, server)
    run.end(
        "failed", error="the filter refused the prompt", code="content_blocked", retryable=False
    )
    await expect_phase(page, "failed")
    await expect(page.get_by_role("button", name="Try again")).to_be_hidden()


async def test_p1_a_text_of_another_length_is_reported_and_can_be_read_again(
    page: Page, server: PageServer
) -> None:
    """A length that differs from the server's is never passed over in silence."""
    run = await ask(page, server)
    run.say("🧵 thread")
    run.end(length=99)
    await expect_answer(page, "🧵 thread", phase="damaged")
    await expect(note(page)).to_contain_text("8 characters arrived here, 99 were sent")
    run.blocks[-1] = run.blocks[-1].replace(b"99", b"8")
    await page.get_by_role("button", name="Load again").click()
    await expect_answer(page, "🧵 thread")
    assert 1 == len(server.posts())


async def test_a_run_that_the_server_has_forgotten_is_said_to_be(
    page: Page, server: PageServer
) -> None:
    """A trimmed run's text stays as it is, with an honest word and a way on."""
    run = await ask(page, server)
    run.say("Before")
    await expect_phase(page, "writing")
    server.refusals.append(refusal(410, "run_trimmed", "no longer kept"))
    run.cut_now()
    await expect_answer(page, "Before", phase="failed")
    await expect(note(page)).to_have_text("The server no longer has the rest of this answer.")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def test_p1_text_that_the_server_has_lost_gives_way_to_what_it_has(
    page: Page, server: PageServer
) -> None:
    """A conflict on resuming: all is read again, and the ids that come now are given back whole."""
    run = await ask(page, server)
    run.say("Before")
    await expect_phase(page, "writing")
    server.refusals.append(refusal(409, "records_lost", "read again"))
    run.lose_text()
    run.say("Instead")
    run.cuts.append(Cut(sum(map(len, run.blocks)), is_clean=True))
    run.cut_now()
    await expect(answer(page)).to_have_text("Instead")
    run.say(" of it")
    run.end()
    await expect_answer(page, "Instead of it")
    assert [None, "1", None, "1.2"] == [asked.after for asked in server.asked]


# ---- Reloads, closed tabs, other tabs ----


async def test_p4_a_reload_in_the_middle_of_an_answer_goes_on_where_it_was(
    page: Page, server: PageServer
) -> None:
    """The text is there at once, the rest follows, and the run was neither stopped nor repeated."""
    run = await ask(page, server)
    run.say("Before")
    await expect(answer(page)).to_have_text("Before")
    await page.reload()
    await expect(answer(page)).to_have_text("Before")
    run.say(" and after")
    await expect(answer(page)).to_have_text("Before and after")
    run.end()
    await expect_answer(page, "Before and after")
    assert ["POST", "GET"] == [asked.method for asked in server.asked]
    assert "1" == server.asked[1].after


async def test_p1_an_answer_that_ended_while_the_page_was_closed_is_there_afterwards(
    page: Page, server: PageServer, context: BrowserContext
) -> None:
    """A closed tab loses nothing: a new one shows the rest."""
    run = await ask(page, server)
    run.say("Before")
    await expect(answer(page)).to_have_text("Before")
    await page.close(run_before_unload=False)
    run.say(" and after")
    run.end()
    later = await context.new_page()
    await later.goto(server.url)
    await expect_answer(later, "Before and after")
    assert 1 == len(server.posts())


async def test_p7_a_reload_before_the_run_is_known_joins_it(page: Page, server: PageServer) -> None:
    """Reloaded before the first header, the page starts again with the same key."""
    server.headers_gate.clear()
    run = await ask(page, server)
    await page.reload()
    await server.until(lambda server: len(server.posts()) == 2)
    server.headers_gate.set()
    run.say("Once")
    run.end()
    await expect_answer(page, "Once")
    assert 1 == len(server.runs)


async def test_two_tabs_show_one_conversation(
    page: Page, server: PageServer, context: BrowserContext
) -> None:
    """What is asked in one tab is answered in both, and a new chat is new in both."""
    other = await context.new_page()
    await other.goto(server.url)
    run = await ask(page, server)
    run.say("For both")
    await expect(answer(other)).to_have_text("For both")
    run.end()
    await expect_answer(page, "For both")
    await expect_answer(other, "For both")
    assert 1 == len(server.runs)
    await other.get_by_role("button", name="New chat").click()
    await expect(page.locator(".exchange")).to_have_count(0)


async def test_a_new_chat_forgets_the_old_one_and_stops_its_answer(
    page: Page, server: PageServer
) -> None:
    """Nobody could come back to the old answer, so its run is cancelled."""
    run = await ask(page, server)
    run.say("Old")
    await expect_phase(page, "writing")
    await page.get_by_role("button", name="New chat").click()
    await expect(page.locator("#welcome")).to_be_visible()
    await server.until(lambda server: run.is_cancelled)
    await page.reload()
    await expect(page.locator("#welcome")).to_be_visible()


# ---- Hands and eyes ----


async def test_the_keyboard_is_enough(page: Page, server: PageServer) -> None:
    """Ask in two lines, stop, and begin anew without a mouse."""
    await page.keyboard.type("One")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await page.keyboard.press("Enter")
    run = await server.run()
    assert [{"role": "user", "content": "One\ntwo"}] == server.posts()[0].body["messages"]
    run.say("Well")
    await expect_phase(page, "writing")
    await page.keyboard.type("draft")
    await page.keyboard.press("Enter")  # sends nothing while an answer is running
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Stop")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect_phase(page, "cancelled")
    assert 1 == len(server.posts())
    await expect(page.get_by_label("Your question")).to_have_value("draft")


async def test_a_double_click_on_send_stops_nothing(page: Page, server: PageServer) -> None:
    """The button turns into Stop under the second click, which does not count."""
    await page.get_by_label("Your question").fill("Now?")
    await page.get_by_role("button", name="Send").dblclick()
    run = await server.run()
    run.end()
    await expect_phase(page, "completed")
    assert not run.is_cancelled


async def test_the_end_stays_in_view_until_the_reader_scrolls_up(
    page: Page, server: PageServer
) -> None:
    """New text scrolls with a reader at the end, and leaves alone one who reads above."""
    conversation = page.locator("#conversation")
    to_end = "element => element.scrollHeight - element.scrollTop - element.clientHeight"
    run = await ask(page, server)
    run.say("line\n" * 100)
    await expect_phase(page, "writing")
    assert 1 >= await conversation.evaluate(to_end)
    await conversation.hover()
    await page.mouse.wheel(0, -300)
    await expect(page.get_by_role("button", name="Latest")).to_be_visible()
    top = await conversation.evaluate("element => element.scrollTop")
    run.say("more\n" * 100 + "last")
    await expect(answer(page)).to_contain_text("last")
    assert top == await conversation.evaluate("element => element.scrollTop")
    await page.get_by_role("button", name="Latest").click()
    await expect(page.get_by_role("button", name="Latest")).to_be_hidden()
    assert 1 >= await conversation.evaluate(to_end)


async def test_a_phone_shows_all_of_it(browser: Browser, server: PageServer) -> None:
    """On a narrow screen nothing is wider than the screen, and targets fit a finger."""
    context = await browser.new_context(
        viewport={"width": 360, "height": 640}, is_mobile=True, has_touch=True
    )
    page = await context.new_page()
    await page.goto(server.url)
    run = await ask(page, server, "W" * 200)
    run.say("W" * 500 + "\n" + TEXT)
    await expect_phase(page, "writing")
    assert 360 == await page.evaluate("document.documentElement.scrollWidth")
    inner = "element => element.scrollWidth - element.clientWidth"
    assert 0 == await page.locator("#conversation").evaluate(inner)
    box = await page.get_by_role("button", name="Stop").bounding_box()
    assert box is not None
    assert 44 <= box["width"]
    assert 640 >= box["y"] + box["height"]
    await context.close()


# ---- The decoder, on its own ----


@pytest.mark.parametrize("end_of_line", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])
async def test_any_split_of_the_bytes_gives_the_same_blocks(page: Page, end_of_line: str) -> None:
    """Byte by byte or cut anywhere: comments, both spaces, no id, an unfinished block."""
    lines = [
        ": hb",
        "id: 1",
        "data: día 🧵",
        "",
        "data:two",
        "data:  lines",
        "ignored: x",
        "",
        ": hb",
        "id: 9\0",
        "data",
        "",
        "id",
        "event: x",
        "",
        "data: {\u2028\u0085}",
        "",
        "data: never ended",
    ]
    body = "\ufeff" + end_of_line.join(lines)
    expected = [
        {"id": "1", "data": "día 🧵"},
        {"id": "1", "data": "two\n lines"},
        {"id": "1", "data": ""},
        {"id": "", "data": "{\u2028\u0085}"},
    ]
    splits = await page.evaluate(
        """async (body) => {
          const { createDecoder } = await import("./sse.js");
          const bytes = new TextEncoder().encode(body);
          const decode = (chunks) => chunks.flatMap(createDecoder());
          const cuts = [...bytes.keys()].map((n) => [bytes.slice(0, n), bytes.slice(n)]);
          return [[bytes], [...bytes].map((byte) => new Uint8Array([byte])), ...cuts].map(decode);
        }""",
        body,
    )
    assert [expected] * len(splits) == splits
