"""The layout check of `make check`: what a reader of the folder tree relies on.

Run as `python -m tests.layout`; prints each fault and exits 1 if there is one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "tickertape"
MAX_LINES = 400
VAGUE = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "data", "info"}

# Modules without a test file of their name, and the tests that hold them.
TESTED_BY = {
    "client/attempts.py": "client/test_reader.py",
    "core/events.py": "core/test_codec.py",
    "core/record.py": "logs/test_memory.py",
    "core/request.py": "web/test_routes.py",
    "engine/identity.py": "engine/test_engine.py",
    "engine/snapshot.py": "engine/test_engine.py",
    "logs/redis/calls.py": "logs/redis/test_failures.py",
    "logs/redis/commands.py": "logs/redis/test_failures.py",
    "logs/redis/connection.py": "logs/redis/test_failures.py",
    "logs/redis/ear.py": "logs/redis/test_failures.py",
    "logs/redis/ears.py": "logs/redis/test_cluster.py",
    "logs/redis/errors.py": "logs/redis/test_opening.py",
    "logs/redis/head.py": "logs/redis/test_keeping.py",
    "logs/redis/hearing.py": "logs/redis/test_failures.py",
    "logs/redis/keys.py": "logs/redis/test_opening.py",
    "logs/redis/leases.py": "logs/redis/test_keeping.py",
    "logs/redis/link.py": "logs/redis/test_opening.py",
    "logs/redis/node.py": "logs/redis/test_failures.py",
    "logs/redis/port.py": "logs/redis/test_failures.py",
    "logs/redis/starts.py": "logs/redis/test_failures.py",
    "logs/redis/writing.py": "logs/redis/test_failures.py",
    "testing/key_contract.py": "testing/test_log_contract.py",
    "testing/lease_contract.py": "testing/test_log_contract.py",
    "testing/log_opening.py": "testing/test_log_contract.py",
    "testing/scripted.py": "engine/test_step.py",
    "testing/fault_server/error_bodies.py": "testing/fault_server/test_responder.py",
    "testing/fault_server/filters.py": "testing/fault_server/test_chat.py",
    "testing/fault_server/replies.py": "testing/fault_server/test_responder.py",
    "web/asgi.py": "web/test_routes.py",
    "web/assembly.py": "web/test_fastapi.py",
    "web/handlers.py": "web/test_routes.py",
    "web/limits.py": "web/test_routes.py",
    "web/replies.py": "web/test_routes.py",
    "web/server.py": "web/test_serve.py",
    "web/worker.py": "web/test_workers.py",
}


def faults() -> Iterator[str]:
    """Yield one sentence for each fault."""
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(ROOT)
        text = path.read_text(encoding="utf-8")
        if ast.get_docstring(ast.parse(text)) is None:
            yield f"{where} does not begin by saying what it knows"
        if text.count("\n") > MAX_LINES:
            yield f"{where} has more than {MAX_LINES} lines; find the second noun in it"
        if path.stem in VAGUE:
            yield f"{where} is named after nothing in the glossary"
        if path.stem not in {"__init__", "__main__", "base"} and not _has_tests(path):
            yield f"{where} has no test file of its name"


def _has_tests(source: Path) -> bool:
    where = source.relative_to(SOURCE)
    named = TESTED_BY.get(where.as_posix(), str(where.with_name(f"test_{source.name}")))
    return (ROOT / "tests" / named).exists()


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or "The layout is as it should be.")
    sys.exit(1 if found else 0)
