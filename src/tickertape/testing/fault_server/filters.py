"""Azure's content-filter annotations: what stands in them.

Source: Azure OpenAI documentation, "Content filtering" and "Content streaming".
"""

from __future__ import annotations

from typing import Final

from msgspec import UnsetType

from tickertape.testing.answers import Choice
from tickertape.testing.fault_server.call import Call

SAFE: Final[dict[str, object]] = {
    category: {"filtered": False, "severity": "safe"}
    for category in ("hate", "self_harm", "sexual", "violence")
}
BLOCKED: Final[dict[str, object]] = {
    **SAFE,
    "violence": {"filtered": True, "severity": "medium"},
}
BLOCKED_LATER: Final[dict[str, object]] = {
    "protected_material_text": {"detected": True, "filtered": True},
}
_SAFE_PROMPT: Final[dict[str, object]] = {
    **SAFE,
    "jailbreak": {"detected": False, "filtered": False},
}


def prompt_annotations(call: Call) -> dict[str, object] | None:
    """Return the prompt's annotations by category; None when none are sent."""
    given = call.answer.prompt_filter_results
    if isinstance(given, UnsetType):
        return _SAFE_PROMPT if call.flavor == "azure" else None
    return given


def choice_annotations(choice: Choice) -> dict[str, object]:
    """Return the annotations of a whole choice."""
    return BLOCKED if choice.finish_reason == "content_filter" else SAFE


def offsets(*, start: int, end: int) -> dict[str, int]:
    """Return which characters a late annotation vouches for, counted from the prompt's start."""
    return {"check_offset": end, "start_offset": start, "end_offset": end}
