"""Connections that break under an answer, in a real browser: the text is there once, and whole."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.page.chat import TEXT, WORDS, Chat, tell_all
from tests.page.run import DONE, Cut, Run
from tests.page.server import PageServer, refusal

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def bytes_of(*words: str) -> bytes:
    """Return the body that tells these words, without the last word of all."""
    run = Run("run-00")
    run.say(*words)
    run.end()
    return b"".join(run.blocks).removesuffix(DONE)


async def test_p1_a_connection_cut_at_any_byte_loses_and_repeats_nothing(
    chat: Chat, server: PageServer
) -> None:
    """Cut inside a block, a line, a character, or between blocks: the text is there once."""
    body = bytes_of(*WORDS)
    thread = body.index("🧵".encode())
    ends = [at + 2 for at in range(len(body)) if body[at : at + 2] == b"\n\n"]
    cuts = sorted({*range(thread - 4, thread + 8, 2), *range(1, len(body), 67), *ends})

    for number, cut in enumerate(cuts):

        def script(run: Run, cut: int = cut) -> None:
            run.cuts.append(Cut(cut, is_clean=cut % 3 == 0))
            tell_all(run)

        server.script = script
        await chat.ask()
        await expect(chat.answers).to_have_count(1)
        await chat.expect_answer(TEXT)
        assert number + 1 == len(server.runs)
        await chat.button("New conversation").click()
        await expect(chat.messages).to_have_count(0)


async def test_p1_many_cuts_of_one_answer(chat: Chat, server: PageServer) -> None:
    """A connection that breaks again and again brings the text a little further each time."""
    words = [f"word {number} " for number in range(30)]

    def script(run: Run) -> None:
        # One block fits between two cuts, which is progress: no number of them is too many.
        run.cuts.extend(
            Cut(60 if number else 120, is_clean=number % 2 == 0) for number in range(20)
        )
        run.say(*words)
        run.end()

    server.script = script
    await chat.ask()
    await chat.expect_answer("".join(words))
    assert 1 == len(server.runs)
    assert 21 == len(server.asked)


async def test_p2_an_end_of_the_body_without_an_outcome_is_no_end(
    chat: Chat, server: PageServer
) -> None:
    """A body that ends properly but says no outcome: the page reads on from its cursor."""
    server.script = lambda run: run.cuts.append(Cut(len(run.blocks[0]) + 20, is_clean=True))
    run = await chat.ask()
    run.say("Not yet", " done")
    await server.until(lambda server: server.asked[-1].method == "GET")
    await chat.expect_text("Not yet done")
    await chat.expect_status("streaming")
    run.end()
    await chat.expect_answer("Not yet done")
    assert "0" == server.asked[-1].after


async def test_a_broken_connection_is_told_and_healed(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """While the page tries again it says so, keeps the text, and goes on by itself."""
    await page.evaluate("draw = 0.9")
    await page.clock.install()
    run = await chat.ask()
    run.say("Before")
    await page.clock.run_for(100)
    await chat.expect_text("Before")
    server.refusals.extend(refusal(502, "x", "x") for _ in range(3))
    run.cut_now()
    await expect(chat.notice).to_contain_text(re.compile("again|reconnecting", re.IGNORECASE))
    await chat.expect_text("Before")
    server.refusals.clear()
    run.say(" and after")
    run.end()
    await page.clock.run_for(60_000)
    await chat.expect_answer("Before and after")
    await expect(chat.notice).to_be_empty()


async def test_p1_a_network_that_goes_away_and_comes_back_costs_nothing(
    chat: Chat, context: BrowserContext
) -> None:
    """Offline and cut off: nothing is given up, and the rest comes as soon as it is back."""
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    await context.set_offline(True)
    run.cut_now()
    run.say(" the tunnel")
    await expect(chat.notice).not_to_be_empty()
    await chat.expect_text("Before")
    run.say(", and after")
    run.end()
    await context.set_offline(False)
    await chat.expect_answer("Before the tunnel, and after")
    await expect(chat.notice).to_be_empty()


@pytest.mark.parametrize("event", ["online", "visibilitychange"])
async def test_a_reader_who_comes_back_does_not_wait(chat: Chat, page: Page, event: str) -> None:
    """A network that is back, or a tab that is looked at again, ends the backoff."""
    await page.evaluate("draw = 100")  # a backoff of many seconds
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    run.cut_now()
    await expect(chat.notice).not_to_be_empty()
    run.end()
    await page.evaluate(f"document.dispatchEvent(new Event('{event}', {{bubbles: true}}))")
    await chat.expect_answer("Before")


async def test_p5_a_silent_connection_is_given_up(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """A connection that brings not even heartbeats is taken for dead, and made anew."""
    await page.clock.install()
    run = await chat.ask()
    run.say("Before")
    await page.clock.run_for(100)
    await chat.expect_text("Before")
    await page.clock.run_for(61_000)
    await server.until(lambda server: server.asked[-1].method == "GET")
    run.end()
    await page.clock.run_for(2_000)
    await chat.expect_answer("Before")


async def test_p7_a_lost_answer_to_the_start_costs_no_second_run(
    chat: Chat, server: PageServer
) -> None:
    """The connection is reset after the run began: the start is repeated, and joins it."""
    server.loses_next_answer = True
    run = await chat.ask()
    await server.until(lambda server: len(server.posts()) == 2)
    run.say("Once")
    run.end()
    await chat.expect_answer("Once")
    assert 1 == len(server.runs)
    assert server.posts()[0].key == server.posts()[1].key


async def test_p5_headers_that_never_come_are_asked_for_again(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """A start that is not answered is repeated with its key, and joins the same run."""
    await page.clock.install()
    server.headers_gate.clear()
    run = await chat.ask()
    await page.clock.run_for(61_000)
    await server.until(lambda server: len(server.posts()) == 2)
    run.say("Late")
    run.end()
    server.headers_gate.set()
    await page.clock.run_for(1_000)
    await chat.expect_answer("Late")
    assert 1 == len({asked.key for asked in server.posts()}) == len(server.runs)


async def test_giving_up_is_said_and_going_on_costs_no_second_run(
    chat: Chat, server: PageServer
) -> None:
    """After its budget the page says that it has given up; a button goes on at the cursor."""
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    server.refusals.extend(refusal(502, "x", "x") for _ in range(100))
    run.cut_now()
    await chat.expect_answer("Before", status="lost")
    await expect(chat.note).not_to_be_empty()
    assert 50 < len(server.refusals)
    server.refusals.clear()
    run.say(" and after")
    run.end()
    await chat.button("Reconnect").click()
    await chat.expect_answer("Before and after")
    assert 1 == len(server.runs)


async def test_p1_text_that_the_server_has_lost_gives_way_to_what_it_has(
    chat: Chat, server: PageServer
) -> None:
    """A conflict on resuming: all is read again, and the ids that come now are given back whole."""
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    server.refusals.append(refusal(409, "records_lost", "read again"))
    run.lose_text()
    run.say("Instead")
    run.cuts.append(Cut(sum(map(len, run.blocks)), is_clean=True))
    run.cut_now()
    await chat.expect_text("Instead")
    run.say(" of it")
    run.end()
    await chat.expect_answer("Instead of it")
    assert [None, "1", None, "1.2"] == [asked.after for asked in server.asked]
