"""The server restarts in the middle of an answer: a real process and its SQLite log."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.page.chat import Chat
from tickertape.testing.answers import Answer
from tickertape.testing.faults import Faults, Stall
from tickertape.testing.scenarios import Turn

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SCRIPT = """
import os, sys
from tickertape.web.serve import ServeSettings, serve
serve(
    ServeSettings(port=int(sys.argv[1]), log=sys.argv[2], drain_s=float(sys.argv[3])),
    environment=os.environ,
    on_ready=lambda url: print(url, flush=True),
)
"""
ANSWER = Answer(text="one two three four five six")


class Server:
    """One server, started again and again: always the same port, and the same log."""

    def __init__(self, log: str, environment: dict[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *, drain_s: float = 0) -> None:
        """Start it, and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SCRIPT, str(self.port), self._log, str(drain_s),
            env=self._environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self.url == (await self._process.stdout.readline()).decode().strip()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def gone(self) -> None:
        """Wait until it has ended. Safe to repeat."""
        process, self._process = self._process, None
        if process is not None:
            await process.wait()
            process._transport.close()


@pytest_asyncio.fixture(loop_scope="session")
async def restarted(built_page, fault_server, tmp_path):
    """A server whose provider falls silent in the middle of its first answer."""
    stall = Turn(answer=ANSWER, faults=Faults(failure=Stall(after_chunks=4)))
    fault_server.play(stall, ANSWER)
    environment = {**fault_server.openai_environment, "TICKERTAPE_MODEL": "openai/m"}
    server = Server(f"sqlite:{tmp_path}/log.db", {**os.environ, **environment})
    yield server
    if server.is_running:
        server.signal(signal.SIGKILL)
    await server.gone()


async def ask(context, server, fault_server, *, drain_s=0.0):
    """Ask, and wait until the provider is silent; return the chat, and the silent exchange."""
    await server.start(drain_s=drain_s)
    page = await context.new_page()
    await page.goto(server.url)
    # A server takes a moment to come back: between the tries lies the time that they take here.
    await page.evaluate("draw = 0.3")
    chat = Chat(page, server)
    await chat.textbox.fill("Count, please.")
    await chat.textbox.press("Enter")
    exchange = await fault_server.next_exchange()
    await exchange.stalled()
    await expect(chat.answer).to_have_text(re.compile("one"))
    return chat, exchange


async def test_p2_kill_9_is_told_truthfully_with_the_text_so_far(context, restarted, fault_server):
    """The answer can't be finished: the page says so, keeps what there is, and can ask again."""
    chat, _ = await ask(context, restarted, fault_server)
    restarted.signal(signal.SIGKILL)
    await restarted.gone()
    await expect(chat.notice).not_to_be_empty()
    await expect(chat.answer).to_have_text(re.compile("one"))
    await restarted.start()
    await chat.expect_status("failed")
    await expect(chat.note).not_to_be_empty()
    await expect(chat.notice).to_be_empty()
    text = await chat.answer.inner_text()
    assert ANSWER.text.startswith(text)
    assert text
    await chat.button("Try again").click()
    await chat.expect_answer(ANSWER.text)


async def test_p2_kill_9_is_told_to_a_page_that_was_reloaded_meanwhile(
    context, restarted, fault_server
):
    """A page that comes back to a run whose process is dead learns the same."""
    chat, _ = await ask(context, restarted, fault_server)
    before = await chat.answer.inner_text()
    await chat.page.goto("about:blank")
    restarted.signal(signal.SIGKILL)
    await restarted.gone()
    await restarted.start()
    await chat.page.goto(restarted.url)
    await chat.expect_status("failed")
    assert (await chat.answer.inner_text()).startswith(before)


async def test_p2_a_server_that_shuts_down_ends_its_answers_and_says_so(
    context, restarted, fault_server
):
    """SIGTERM without patience: the run ends as cancelled, and can be asked again."""
    chat, _ = await ask(context, restarted, fault_server)
    restarted.signal(signal.SIGTERM)
    await restarted.gone()
    await restarted.start()
    await chat.expect_status("cancelled")
    await expect(chat.note).not_to_be_empty()
    assert ANSWER.text.startswith(await chat.answer.inner_text())
    await chat.button("Try again").click()
    await chat.expect_answer(ANSWER.text)


@pytest.mark.parametrize("stays", [True, False], ids=["open", "closed"])
async def test_p1_an_answer_that_may_finish_before_the_restart_is_whole(
    context, restarted, fault_server, stays
):
    """SIGTERM with patience: an open page has the rest at once, a closed one from the log."""
    chat, exchange = await ask(context, restarted, fault_server, drain_s=30)
    if not stays:
        await chat.page.goto("about:blank")
    restarted.signal(signal.SIGTERM)
    exchange.resume()
    await restarted.gone()
    await restarted.start()
    if not stays:
        await chat.page.goto(restarted.url)
    await chat.expect_answer(ANSWER.text)
    assert 1 == len(fault_server.requests)
