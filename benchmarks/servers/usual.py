"""What users write today: FastAPI's streaming response around the `openai` package."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel


class Question(BaseModel):
    """The body of a request."""

    model: str
    messages: list[ChatCompletionMessageParam]


def build(provider_url: str) -> FastAPI:
    """Return the application."""
    app = FastAPI()
    client = AsyncOpenAI(base_url=provider_url, api_key="none")

    async def generate(question: Question) -> AsyncIterator[str]:
        stream = await client.chat.completions.create(
            model=question.model, messages=question.messages, stream=True
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield f"data: {json.dumps({'content': chunk.choices[0].delta.content})}\n\n"
        yield "data: [DONE]\n\n"

    @app.post("/chat/stream")
    async def chat(question: Question) -> StreamingResponse:
        return StreamingResponse(generate(question), media_type="text/event-stream")

    return app
