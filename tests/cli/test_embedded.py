"""The embedded model says that it answers, unless it was asked for."""

from __future__ import annotations

import pytest

from tickertape.cli import embedded
from tickertape.cli.embedded import announce_embedded


class Known:
    """A catalog of which only the default matters."""

    def __init__(self, default):
        self.default = default

    def from_environment(self, _environ, *, allow_local_paths):
        return self


@pytest.mark.parametrize(
    ("default", "model", "variable", "is_told"),
    [
        ("local", None, None, True),
        ("local", "smollm2", None, True),
        ("local", "local/smollm2", None, False),
        ("local", None, "local/smollm2", False),
        ("openai", None, None, False),
    ],
)
def test_it_is_told_when_nobody_asked_for_it(
    default, model, variable, is_told, monkeypatch, capsys
):
    """On stderr, with the way to another."""
    monkeypatch.setattr(embedded, "Catalog", Known(default))
    monkeypatch.delenv("TICKERTAPE_MODEL", raising=False)
    if variable is not None:
        monkeypatch.setenv("TICKERTAPE_MODEL", variable)
    announce_embedded(model)
    out, err = capsys.readouterr()
    assert ("", is_told) == (out, "OPENAI_API_KEY" in err)
