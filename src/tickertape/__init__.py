"""The streaming layer between language models and the people who read them.

What is exported here is for scripts: it needs no server. See `tickertape.client`
for readers of a server, `tickertape.web` for a server's parts, `tickertape.testing`
for what tests need. Only the names in `__all__` are promised to stay.
"""

from tickertape.client.chat import async_stream_chat, stream_chat
from tickertape.client.collector import StreamCollector
from tickertape.client.completion import async_stream_completion, stream_completion
from tickertape.client.response import StreamedResponse
from tickertape.client.text_stream import AsyncTextStream, TextStream
from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import (
    ConfigurationError,
    ConnectionLost,
    InvalidRequest,
    MissingExtra,
    ProtocolError,
    RunCancelled,
    RunFailed,
    TickertapeError,
)

__version__ = "0.1.0"

__all__ = [
    "AsyncTextStream",
    "ConfigurationError",
    "ConnectionLost",
    "Deadlines",
    "InvalidRequest",
    "MissingExtra",
    "ProtocolError",
    "RetryPolicy",
    "RunCancelled",
    "RunFailed",
    "StreamCollector",
    "StreamedResponse",
    "TextStream",
    "TickertapeError",
    "__version__",
    "async_stream_chat",
    "async_stream_completion",
    "stream_chat",
    "stream_completion",
]
