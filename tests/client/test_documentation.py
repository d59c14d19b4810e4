"""What docs/scripts.md shows is true."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import msgspec
import pytest

import tickertape
from tickertape.client.response import StreamedResponse
from tickertape.core.deadlines import Deadlines
from tickertape.core.events import ErrorCode, FinishReason
from tickertape.testing.fault_catalog import fault_catalog

TEXT = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def rows_after(heading):
    """Return the cells of the first table after a heading, without the table's own head."""
    lines = TEXT.split(heading, 1)[1].split("|---|", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def named(cells):
    return re.findall(r"`(\w+)`", cells)


@pytest.fixture
def said(fault_server, capsys):
    """What each example prints, when all of them are run in their order."""
    fault_server.play(fault_catalog())
    names: dict[str, object] = {}
    printed = []
    for example in EXAMPLES:
        exec(compile(example, "docs/scripts.md", "exec"), names)
        printed.append(capsys.readouterr().out)
    return printed


def test_every_example_runs(said, fault_server):
    """With an answer, or with the failure that it shows."""
    (silent,) = [example for example, text in zip(EXAMPLES, said, strict=True) if not text]
    assert "break" in silent
    failed = next(text for text in said if "so far" in text)
    assert "truncated True\nso far: tape0 prints1 every2 word3 " in failed
    assert "/v1/completions" in [request.path for request in fault_server.requests]


def test_leaving_early_stops_the_model(said, fault_server):
    """As the text says: the connection is closed."""
    slow = next(each for each in fault_server.exchanges if each.request.body["model"] == "slow")
    slow.hung_up().result()


def test_every_member_of_the_response_is_named():
    """A new one needs its words."""
    public = {name for name in dir(StreamedResponse) if not name.startswith("_")} - {"apply"}
    assert public == {name for row in rows_after("## What you get") for name in named(row[0])}


def test_the_values_that_are_listed_are_all():
    """Finish reasons and codes of errors; the ones that only a server has are left out."""
    cells = {tuple(named(row[0])): row[1] for row in rows_after("## What you get")}
    assert set(typing.get_args(FinishReason)) == set(named(cells["finish_reason",]))
    codes = next(line for line in TEXT.splitlines() if line.startswith("`error.code` is one of"))
    assert set(typing.get_args(ErrorCode)) - {"producer_lost"} == set(named(codes))


def test_the_deadlines_are_those_of_the_code():
    """With their defaults."""
    assert {field.name: field.default for field in msgspec.structs.fields(Deadlines)} == {
        named(row[0])[0]: float(row[1]) for row in rows_after("## Deadlines")
    }


def test_every_error_is_one_of_ours():
    """And exported."""
    for (name,) in (named(row[0]) for row in rows_after("## When it fails")):
        assert issubclass(getattr(tickertape, name), tickertape.TickertapeError)


def test_the_refusal_is_told_in_these_words():
    """Of a setting that is misspelt."""
    (told,) = re.findall(r"`(temprature: [^`]*)`", TEXT)
    with pytest.raises(tickertape.InvalidRequest, match=told):
        tickertape.stream_chat([{"role": "user", "content": "Hi"}], temprature=1)  # type: ignore[call-arg]
