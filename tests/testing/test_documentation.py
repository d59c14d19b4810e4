"""What docs/fault-server.md shows is true."""

import re
import typing
from pathlib import Path

import msgspec
import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.testing.fault_catalog import ENTRIES
from tickertape.testing.fault_server import Faults, Scenario, load_scenario
from tickertape.testing.faults import ErrorShape

TEXT = (Path(__file__).parents[2] / "docs" / "fault-server.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
JSON = [text for language, text in BLOCKS if language == "json"]


def test_the_first_example_runs(capsys):
    """With the outcome that the text tells."""
    exec(compile(PYTHON[0], "docs/fault-server.md", "exec"), {"__name__": "example"})
    words, _, told = capsys.readouterr().out.partition("\n")
    assert "tape0 prints1 every2 word3 " == words
    assert "chunks_sent=5 ended_by=cut" in told


def test_the_tests_that_it_shows_are_python():
    """Their imports are there; what they promise is tested elsewhere."""
    names: dict[str, object] = {}
    exec(compile(PYTHON[2], "docs/fault-server.md", "exec"), names)
    assert {"Answer", "Faults", "Rejection", "Stall"} <= names.keys()


def test_the_scenario_is_one(tmp_path):
    """And the mistake is told as the text says."""
    (text,) = JSON
    assert {"slow", "cut"} == msgspec.json.decode(text, type=Scenario).models.keys()
    path = tmp_path / "scenario.json"
    path.write_text(text.replace("pace_s", "pase_s"))
    with pytest.raises(ConfigurationError) as raised:
        load_scenario(path)
    assert str(raised.value).removeprefix(f"{path}: ") in TEXT


def test_the_catalog_is_listed():
    """Name and meaning, in the order of the code."""
    rows = [f"| `{entry.name}` | {entry.meaning} |" for entry in ENTRIES]
    assert "\n".join(rows) in TEXT


def test_every_field_and_shape_is_named():
    """A new one needs its words."""
    fields = [field.name for field in msgspec.structs.fields(Faults)]
    shapes = list(typing.get_args(ErrorShape))
    assert [] == [name for name in fields + shapes if f"`{name}`" not in TEXT]
