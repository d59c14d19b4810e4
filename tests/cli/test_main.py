"""The entry point: one line for an error of ours, and a way out without the extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tickertape import __version__

WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition(".")[0])
sys.meta_path.insert(0, Absent())
sys.argv = ["tickertape", *{arguments!r}]
from tickertape.cli.main import main
main()
"""


def run_without(absent, *arguments):
    """Run the command where some packages are not installed."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT.format(absent=set(absent), arguments=arguments)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


@pytest.mark.parametrize(
    ("absent", "arguments"),
    [(["typer"], ["--version"]), (["uvicorn"], ["serve"]), (["starlette"], ["serve"])],
)
def test_a_missing_extra_is_named(absent, arguments):
    """With the command that installs it."""
    done = run_without(absent, *arguments)
    assert (1, "") == (done.returncode, done.stdout)
    assert 'pip install "tickertape[serve]"' in done.stderr
    assert 1 == done.stderr.count("\n")


def test_any_other_missing_module_is_a_fault():
    """And shows where it is."""
    done = run_without(["markdown_it"], "chat")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_error_of_ours_is_one_line(run):
    """No traceback: the message says what to do."""
    command = run("stream", "Hi", "--model", "azure/x")
    assert 1 == command.exit_code()
    error = command.err.rest()
    assert error.startswith("tickertape: azure is not configured: set AZURE_OPENAI_ENDPOINT")
    assert 1 == error.count("\n")


def test_the_version_is_told(run):
    """The package's own."""
    command = run("--version")
    assert (0, f"tickertape {__version__}\n") == (command.exit_code(), command.out.rest())
