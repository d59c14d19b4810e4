"""The responder: one recorded request in, one reply out. Decides all, sends nothing.

What it remembers between requests is the place in the scenario, the number of
the next answer, and the background responses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from tickertape.core.errors import ConfigurationError
from tickertape.testing.answers import Answer
from tickertape.testing.fault_server import content, error_bodies
from tickertape.testing.fault_server.call import Asked, Call, Flavor
from tickertape.testing.fault_server.chat import chat_body, chat_frames
from tickertape.testing.fault_server.completions import completion_body, completion_frames
from tickertape.testing.fault_server.error_bodies import Refused
from tickertape.testing.fault_server.exchanges import RecordedRequest
from tickertape.testing.fault_server.frames import Frame
from tickertape.testing.fault_server.replies import (
    Reply,
    json_reply,
    rejection_reply,
    stored_reply,
    stream_reply,
)
from tickertape.testing.fault_server.responses import response_body, response_frames
from tickertape.testing.fault_server.routes import Route, route
from tickertape.testing.fault_server.stored_responses import ResponseStore, StoredResponse
from tickertape.testing.faults import Faults, Rejection, StreamError
from tickertape.testing.scenarios import Scenario, ScenarioCursor, Turn, decode

FAULTS_HEADER: Final = "x-tickertape-faults"
ANSWER_HEADER: Final = "x-tickertape-answer"

_API_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|preview|latest")

_DIALECTS: Final[dict[str, tuple[Callable[[Call], list[Frame]], Callable[[Call], object]]]] = {
    "chat": (chat_frames, chat_body),
    "completions": (completion_frames, completion_body),
    "responses": (response_frames, response_body),
}
_REQUIRED: Final = {"chat": "messages", "completions": "prompt", "responses": "input"}


class _Refusal(Exception):
    """A request that ends with an error status; becomes a reply where it is caught."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused
        super().__init__(refused.status)


class Responder:
    """Answers requests as Azure OpenAI and OpenAI would, or as a scenario wants."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        api_key: str | None,
        deployments: frozenset[str] | None,
        clock: Callable[[], float],
        produce: Callable[[StoredResponse, Faults], None],
    ) -> None:
        self.cursor = ScenarioCursor(scenario)
        self._api_key = api_key
        self._deployments = deployments
        self._clock = clock
        self._produce = produce
        self._store = ResponseStore()
        self._answers = 0

    def respond(self, request: RecordedRequest) -> Reply:
        """Return the reply. Every problem of the request is a reply, too."""
        try:
            return self._respond(request)
        except _Refusal as refusal:
            return json_reply(refusal.refused.status, refusal.refused.body)
        except ConfigurationError as error:
            return json_reply(400, error_bodies.bad_request(str(error), code="bad_faults").body)

    def _respond(self, request: RecordedRequest) -> Reply:
        found = route(request.method, request.path)
        if found is None:
            flavor: Flavor = "azure" if request.path.startswith("/openai") else "openai"
            target = f"{request.method} {request.path}"
            raise _Refusal(error_bodies.unknown_route(flavor, target))
        self._check_key(found, request)
        _check_api_version(found, request)
        match found.api:
            case "models":
                return self._models()
            case "response":
                return self._read(found, request)
            case "cancel":
                return self._cancel(found)
            case _:
                return self._generate(found, request)

    def _check_key(self, found: Route, request: RecordedRequest) -> None:
        if self._api_key is None:
            return
        given = [request.headers.get("authorization", "").removeprefix("Bearer ")]
        if found.flavor == "azure":
            given.append(request.headers.get("api-key", ""))
        if self._api_key not in given:
            raise _Refusal(error_bodies.wrong_key(found.flavor))

    def _models(self) -> Reply:
        names = sorted(self._deployments or {"gpt-4o", *self.cursor.scenario.models})
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "fault-server"}
            for name in names
        ]
        return json_reply(200, {"object": "list", "data": data})

    def _generate(self, found: Route, request: RecordedRequest) -> Reply:
        asked = _asked(found, request)
        model = found.deployment or asked.model
        if not model:
            missing = "Missing required parameter: 'model'."
            raise _Refusal(error_bodies.bad_request(missing, param="model"))
        if self._deployments is not None and model not in self._deployments:
            refused = error_bodies.unknown_model(found.flavor, model, is_classic=found.is_classic)
            raise _Refusal(refused)
        turn = self._turn(request, model)
        if isinstance(turn.faults.failure, Rejection):
            return rejection_reply(turn.faults, turn.faults.failure, found.flavor)
        call = self._call(found, asked, model, turn)
        if found.api == "responses" and asked.background:
            return self._start_in_background(call, turn.faults)
        return _reply(found.api, call, turn.faults)

    def _turn(self, request: RecordedRequest, model: str) -> Turn:
        """Return the scenario's next turn, or what the request's headers say in its place."""
        turn = self.cursor.next_turn(model)
        faults, answer = request.headers.get(FAULTS_HEADER), request.headers.get(ANSWER_HEADER)
        if faults is not None:
            read = decode(_as_sent(faults), Faults, source=FAULTS_HEADER)
            turn = Turn(answer=turn.answer, faults=read)
        if answer is not None:
            given = decode(_as_sent(answer), Answer, source=ANSWER_HEADER)
            turn = Turn(answer=given, faults=turn.faults)
        return turn

    def _call(self, found: Route, asked: Asked, model: str, turn: Turn) -> Call:
        self._answers += 1
        answer = turn.answer
        if "usage" in turn.faults.omit:
            answer = msgspec.structs.replace(answer, usage=None)
        return Call(
            id=f"{self._answers:08d}",
            model=model,
            created_at=int(self._clock()),
            flavor=found.flavor,
            asked=asked,
            answer=answer,
        )

    def _start_in_background(self, call: Call, faults: Faults) -> Reply:
        stored = StoredResponse(call, content.spoil(response_frames(call), faults, call))
        self._store.add(stored)
        self._produce(stored, faults)
        if not call.asked.stream:
            return json_reply(200, stored.body, faults)
        return stored_reply(stored, faults, after=None)

    def _read(self, found: Route, request: RecordedRequest) -> Reply:
        stored = self._stored(found)
        if request.query.get("stream") != "true":
            return json_reply(200, stored.body)
        if not stored.was_streamed:
            message = "This response cannot be streamed: it was not created with stream=true."
            raise _Refusal(error_bodies.bad_request(message, param="stream"))
        after = request.query.get("starting_after")
        if after is not None and not after.isdecimal():
            message = f"starting_after is {after!r}; it must be a sequence number."
            raise _Refusal(error_bodies.bad_request(message, param="starting_after"))
        turn = self._turn(request, stored.model)
        if isinstance(turn.faults.failure, Rejection):
            return rejection_reply(turn.faults, turn.faults.failure, found.flavor)
        return stored_reply(stored, turn.faults, after=None if after is None else int(after))

    def _cancel(self, found: Route) -> Reply:
        stored = self._stored(found)
        stored.cancel()
        return json_reply(200, stored.body)

    def _stored(self, found: Route) -> StoredResponse:
        stored = self._store.get(found.response_id or "")
        if stored is None:
            raise _Refusal(error_bodies.unknown_response(found.response_id or ""))
        return stored


def _check_api_version(found: Route, request: RecordedRequest) -> None:
    version = request.query.get("api-version")
    if version is None:
        if found.is_classic:
            raise _Refusal(error_bodies.unknown_route("azure", request.path))
    elif not _API_VERSION.fullmatch(version):
        raise _Refusal(error_bodies.wrong_api_version())


def _asked(found: Route, request: RecordedRequest) -> Asked:
    try:
        asked = msgspec.json.decode(request.raw_body, type=Asked)
    except msgspec.DecodeError as error:
        raise _Refusal(error_bodies.bad_request(f"Invalid request body: {error}")) from error
    required = _REQUIRED[found.api]
    if not bytes(getattr(asked, required)):
        missing = f"Missing required parameter: '{required}'."
        raise _Refusal(error_bodies.bad_request(missing, param=required))
    return asked


def _as_sent(header: str) -> bytes:
    # Header bytes are read as Latin-1; the JSON in them is UTF-8.
    return header.encode("latin-1")


def _reply(api: str, call: Call, faults: Faults) -> Reply:
    frames, body = _DIALECTS[api]
    if call.asked.stream:
        return stream_reply(call, content.spoil(frames(call), faults, call), faults)
    if isinstance(faults.failure, StreamError):
        # Without a stream there is only a status to tell it.
        error = {"message": faults.failure.message, "type": "server_error"}
        return json_reply(500, {"error": error}, faults)
    return json_reply(200, body(call), faults)
