"""The contract's tests bite: a log that breaks a promise fails them, one that keeps all passes."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tickertape.testing.log_contract import LogContract

# Read, not imported: they change what the contract's tests wait for, and how they search.
PATHS = [Path(__file__).with_name(name) for name in ("broken_logs.py", "broken_leases.py")]
CLASSES = [
    node.name
    for path in PATHS
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.ClassDef) and node.name.startswith("Test")
]

KEPT = ["TestKept", "TestKeptElsewhere"]


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """Run the contract on every log; return the tests that each failed, by its class."""
    report = tmp_path_factory.mktemp("contract") / "report.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", *PATHS, "-p", "no:cacheprovider", f"--junitxml={report}"],
        stdout=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    failed = defaultdict(list)
    for case in ET.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed[case.attrib["classname"].rpartition(".")[2]].append(case.attrib["name"])
    return failed


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in CLASSES if name not in KEPT])
def test_p8_a_broken_log_fails(failed, name):
    """Whichever promise it breaks."""
    assert failed[name]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", KEPT)
def test_p8_a_log_that_keeps_all_passes(failed, name):
    """So it is not the tests that are broken."""
    assert name in CLASSES
    assert [] == failed[name]


def test_a_log_must_say_how_it_is_opened(tmp_path):
    """The contract alone opens none."""
    with pytest.raises(NotImplementedError):
        LogContract().open_log(tmp_path, retention_s=1, now=lambda: 0.0)
