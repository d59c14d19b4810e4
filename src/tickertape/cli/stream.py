"""`tickertape stream`: one question, one answer."""

from __future__ import annotations

import sys

from tickertape.cli.embedded import announce_embedded
from tickertape.cli.printing import print_answer
from tickertape.client.chat import stream_chat


def read_prompt(prompt: str | None) -> str:
    """Return the prompt; `-` and None read it from stdin, to its end.

    With a prompt, stdin is left alone: it may be the rest of somebody's loop.
    """
    return sys.stdin.read() if prompt is None or prompt == "-" else prompt


def stream_answer(
    prompt: str,
    *,
    model: str | None,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
) -> int:
    """Print the answer as it comes, and return the exit code."""
    announce_embedded(model)
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": prompt})
    return print_answer(
        stream_chat(messages, model, max_tokens=max_tokens, temperature=temperature)
    )
