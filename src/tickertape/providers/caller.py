"""Sends one provider's calls, and returns their answers as streams.

Knows the two ways in which an answer may come: on one connection, with which it
ends, or in the background. Hosts and keys are the providers' business.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from tickertape.providers.background_responses import BackgroundResponses, Sign
from tickertape.providers.base import ProviderStream, Translator
from tickertape.providers.calls import Call
from tickertape.providers.http import ByteStream, HttpTransport
from tickertape.providers.translators.responses import ResponsesTranslator


class AnswerStream:
    """One answer on one connection: its bytes, and who understands them."""

    __slots__ = ("_bytes", "translator")

    def __init__(self, stream: ByteStream, translator: Translator) -> None:
        self._bytes = stream
        self.translator = translator

    @property
    def status(self) -> int:
        """Return the response's status, a good one."""
        return self._bytes.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the response's headers; their case does not count."""
        return self._bytes.headers

    # Not `async def`: that would be one more coroutine for each read.
    def read(self) -> Coroutine[Any, Any, bytes]:
        """Return the next bytes; see `http.ByteStream.read`."""
        return self._bytes.read()

    def close(self) -> None:
        """Close the connection, which makes the provider stop. Safe to repeat."""
        self._bytes.close()


class Caller:
    """Calls one provider. Belongs to one event loop."""

    def __init__(self, transport: HttpTransport, *, sign: Sign) -> None:
        """`sign` returns the headers that sign a request."""
        self._transport = transport
        self._sign = sign
        self._background = BackgroundResponses(transport, sign=sign)

    async def open(self, url: str, call: Call) -> ProviderStream:
        """Send the call to its URL, and return its answer once the status is known.

        Raises:
            ProviderError: not reached, or refused. Nothing stays open.
        """
        translator = call.translator
        if call.is_background and isinstance(translator, ResponsesTranslator):
            return await self._background.open(url, body=call.body, translator=translator)
        stream = await self._transport.open_stream(url, headers=await self._sign(), body=call.body)
        return AnswerStream(stream, translator)

    async def reattach(self, url: str, response_id: str) -> ProviderStream:
        """Return the stream of a stored response, from its beginning. `url` is where they start.

        Raises:
            ProviderError: not reached, or refused.
        """
        return await self._background.reattach(url, response_id, translator=ResponsesTranslator())

    def stop(self, url: str, response_id: str) -> None:
        """Cancel a stored response, soon. It is not waited for here."""
        self._background.stop(url, response_id)

    async def close(self) -> None:
        """Stop what goes on in the background, and wait until that is done."""
        await self._background.close()
