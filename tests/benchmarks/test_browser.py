"""The browser's benchmark works, as far as this machine has what it needs."""

from __future__ import annotations

import os

import pytest

from benchmarks import browser
from benchmarks.findings import TextDiffers
from benchmarks.rig.chromium import CHROMIUM, Showing

NODE = browser._node()


def missing(what: str) -> None:
    """Fail in CI, and skip on a laptop."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module")
def node():
    """Node.js, with the packages that are measured."""
    if NODE is None:
        missing("no Node.js with the packages: npm ci in clients/js")
    return NODE


def test_reading_has_both_figures_for_the_same_text(node):
    """The script fails where a text is not the one that was sent."""
    found = browser.parsing(node, tokens=50, rounds=1)
    assert [{"ours", "usual"}] * 2 == [set(one.figures) for one in found]


def test_sizes_are_weighed_with_one_bundler(node):
    """The AI SDK's hook is there beside ours."""
    found = {one.name: one.figures for one in browser.sizes(node)}
    assert {"ours", "usual"} == set(found["size, useChat"])
    assert found["size, the core without its parser"]["ours"] < found["size, the core"]["ours"]


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_pages_show_the_same_answer(node, tmp_path):
    """Both pages end with one text, and their main threads have done something."""
    if not CHROMIUM.exists():
        missing(f"{CHROMIUM} is missing; install Debian's chromium")
    browser._build(node, tmp_path)
    pages = {"ours": "ours-markdown", "usual": "usual-markdown"}
    with browser.shown_pages(node, tmp_path) as compare:
        shown = compare("smoke", pages, browser.AT_ONCE, 100)
    assert shown["ours"].text == shown["usual"].text
    assert all(one.task_s > 0 for one in shown.values())


def test_without_the_packages_a_note_says_what_is_missing(monkeypatch):
    """Nothing is measured, and nothing fails."""
    monkeypatch.setattr(browser, "_node", lambda: None)
    (found,) = browser.run(quick=True)
    assert "npm ci" in found.notes[0]


def test_a_page_that_shows_another_text_fails():
    """Figures count only for the text that was sent."""
    shown = {
        who: Showing(text=who, task_s=1, script_s=1, long_tasks_ms=()) for who in ("a", "usual")
    }
    with pytest.raises(TextDiffers, match="a: "):
        browser.checked("smoke", shown)
