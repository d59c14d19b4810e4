"""What a person does and sees on the page. The one place that knows its labels and hooks."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, expect

from tests.page.run import Run
from tests.page.server import PageServer

WORDS = ["Tear", " it", " anywhere", ":", " 🧵", "día", " e\u0301", " 日本", " שלום", "."]
TEXT = "".join(WORDS)


def tell_all(run: Run) -> None:
    """Say the whole text, a word a block, and end."""
    run.say(*WORDS)
    run.end()


class Chat:
    """One open page."""

    def __init__(self, page: Page, server: PageServer) -> None:
        self.page = page
        self._server = server
        self.log = page.get_by_role("log", name="Conversation")
        self.textbox = page.get_by_role("textbox", name="Message")
        self.messages = page.locator("article.tt-message")
        self.questions = page.locator("article.tt-message[data-role=user]")
        self.answers = page.locator("article.tt-message[data-role=assistant]")
        self.notice = page.locator(".tt-connection")
        self.announced = page.locator(".tt-live")

    def button(self, name: str) -> Locator:
        """Return the button with exactly this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    async def ask(self, question: str = "What is it?") -> Run:
        """Type a question, send it with Enter, and return the run that it started."""
        number = len(self._server.runs)
        await self.textbox.fill(question)
        await self.textbox.press("Enter")
        return await self._server.run(number)

    @property
    def answer(self) -> Locator:
        """The text of the last answer."""
        return self.answers.last.locator(".tt-text")

    @property
    def note(self) -> Locator:
        """What stands under the last answer, on why it ended as it did."""
        return self.answers.last.locator(".tt-note")

    async def expect_status(self, status: str) -> None:
        """Wait until the last answer is in this status."""
        await expect(self.answers.last).to_have_attribute("data-status", status)

    async def expect_text(self, text: str) -> None:
        """Wait until this is what the last answer says."""
        await expect(self.answer).to_have_text(text)

    async def expect_answer(self, text: str, *, status: str = "completed") -> None:
        """Wait for the status of the last answer, and until its text is this, to the letter."""
        await self.expect_status(status)
        # A pattern, since white space in a string would count as any other.
        exactly = re.compile(f"^{re.escape(text.rstrip())}\\s*$")
        await expect(self.answer).to_have_text(exactly, use_inner_text=True)
