"""A run as one JSON document: how it stands now, and the cursor to go on from."""

from __future__ import annotations

import msgspec

from tickertape.core.run_state import Choice
from tickertape.engine.snapshot import Snapshot
from tickertape.wires.native import attempt_payload, end_payload


def encode_document(snapshot: Snapshot) -> bytes:
    """Return the run as JSON. `after=cursor` on the native wire gives what is not in it."""
    state = snapshot.state
    document: dict[str, object] = {}
    if state.started is not None:
        started = state.started
        document |= {
            "run_id": started.run_id,
            "model": started.model,
            "provider": started.provider,
            "created_at": started.created_at,
        }
    document |= {"phase": state.phase.value, "cursor": str(snapshot.cursor), "content": state.text}
    document["choices"] = [
        {"index": index, **_choice(choice)} for index, choice in sorted(state.choices.items())
    ]
    if state.attempts:
        document["attempts"] = [attempt_payload(attempt) for attempt in state.attempts]
    document |= {"length": state.length, "usage": state.usage}
    if state.ended is not None:
        document |= end_payload(state.ended)
    return msgspec.json.encode(document)


def _choice(choice: Choice) -> dict[str, object]:
    fields: dict[str, object] = {"content": choice.text, "finish_reason": choice.finish_reason}
    if choice.reasoning:
        fields["reasoning"] = choice.reasoning
    if choice.refusal:
        fields["refusal"] = choice.refusal
    if choice.tool_calls:
        fields["tool_calls"] = [
            {"index": index, "id": call.id, "name": call.name, "arguments": call.arguments}
            for index, call in sorted(choice.tool_calls.items())
        ]
    return fields
