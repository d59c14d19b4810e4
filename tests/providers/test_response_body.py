"""A chat request in the words of the Responses API."""

from __future__ import annotations

from typing import Any

import pytest

from tickertape.core.errors import ProviderError
from tickertape.core.request import ChatRequest, Message
from tickertape.providers.response_body import response_fields

HELLO = [Message(role="user", content="Hello")]


def fields(**settings):
    return response_fields(ChatRequest(**{"messages": HELLO, "model": "m", **settings}))


def items(*messages: Any) -> Any:
    return response_fields(ChatRequest(messages=list(messages), model="m"))["input"]


def message(role: Any, content: Any = None, **fields: Any) -> Message:
    return Message(role=role, content=content, **fields)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {}),
        ({"max_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_completion_tokens": 6}, {"max_output_tokens": 6}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_output_tokens": 6}),
        ({"temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0, "top_p": 0.5}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"user": "u"}, {"user": "u"}),
        (
            {"response_format": {"type": "json_object"}},
            {"text": {"format": {"type": "json_object"}}},
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}},
                }
            },
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "n",
                        "strict": True,
                        "schema": {"type": "object"},
                    }
                }
            },
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
            {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}]},
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
            {"tools": [{"type": "function", "name": "f", "strict": True}]},
        ),
        (
            {
                "tools": [
                    {
                        "type": "custom",
                        "custom": {
                            "name": "c",
                            "format": {
                                "type": "grammar",
                                "grammar": {"syntax": "lark", "definition": "x"},
                            },
                        },
                    }
                ]
            },
            {
                "tools": [
                    {
                        "type": "custom",
                        "name": "c",
                        "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
                    }
                ]
            },
        ),
        ({"tools": [{"type": "web_search"}]}, {"tools": [{"type": "web_search"}]}),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": {"type": "function", "name": "f"}},
        ),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [{"type": "function", "function": {"name": "f"}}],
                    },
                }
            },
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "f"}],
                }
            },
        ),
        ({"n": 1, "stop": [], "presence_penalty": 0, "frequency_penalty": 0.0}, {}),
    ],
)
def test_settings_have_their_names_there(settings, expected):
    """Each setting as the other API spells it; what is unset stays unset."""
    sent = fields(**settings)
    assert "m" == sent.pop("model")
    assert [{"type": "message", "role": "user", "content": "Hello"}] == sent.pop("input")
    assert expected == sent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("stop", "x"),
        ("stop", ["x"]),
        ("seed", 0),
        ("presence_penalty", 0.1),
        ("frequency_penalty", -1.0),
    ],
)
def test_what_that_api_does_not_know_is_refused(name, value):
    """Nothing is left out in silence; the message tells the way out."""
    with pytest.raises(ProviderError, match=f"^{name} .*TICKERTAPE_API=chat_comp") as caught:
        fields(**{name: value})
    assert ("provider_rejected", False) == (caught.value.code, caught.value.is_retryable)


def test_a_name_on_a_message_is_refused():
    """There is no place for it; the place of the message is told."""
    with pytest.raises(ProviderError, match=r"^messages\[1\]\.name "):
        items(*HELLO, message("user", content="x", name="Ann"))


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_instructions_stay_where_they_are(role):
    """Every role but the tool's has the same name there, and its place in the row."""
    assert [
        {"type": "message", "role": role, "content": "a"},
        {"type": "message", "role": role, "content": [{"type": "input_text", "text": "b"}]},
    ] == items(
        message(role, content="a"),
        message(role, content=[{"type": "text", "text": "b"}]),
    )


def test_pieces_of_a_message_have_their_types_there():
    """Texts, images and files are renamed; what is not known goes as it is."""
    audio = {"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}}
    [sent] = items(
        message(
            "user",
            content=[
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
                {"type": "file", "file": {"file_id": "f"}},
                audio,
            ],
        )
    )
    assert [
        {"type": "input_text", "text": "a"},
        {"type": "input_image", "image_url": "data:x", "detail": "low"},
        {"type": "input_file", "file_id": "f"},
        audio,
    ] == sent["content"]


def test_an_answer_is_output():
    """What the model said, and what it refused, in the order of the parts."""
    assert [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    ] == items(
        message("assistant", content="a"),
        message("assistant", content=[{"type": "text", "text": "b"}]),
        message("assistant", content=None, refusal="no"),
    )


def test_tool_calls_and_their_outputs_are_items():
    """A call is an item after what was said; a tool's message is the output for its call."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "SELECT 1"}}
    parts = [{"type": "text", "text": "two"}]
    assert [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "SELECT 1"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "two"}],
        },
    ] == items(
        message("assistant", content="a", tool_calls=[call, custom]),
        message("tool", content="one", tool_call_id="c1"),
        message("tool", content=parts, tool_call_id="c2"),
    )


def test_an_answer_that_is_only_a_call_says_nothing():
    """No empty message stands before the call."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for content in (None, "", []):
        [item] = items(message("assistant", content=content, tool_calls=[call]))
        assert "function_call" == item["type"]
