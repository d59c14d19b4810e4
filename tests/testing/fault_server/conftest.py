"""Values that the tests of the dialects share."""

import pytest

from tickertape.testing.answers import Answer
from tickertape.testing.fault_server.call import Asked, Call, StreamOptions


@pytest.fixture
def call():
    """Make a call: an answer to a request."""

    def make(answer=None, *, flavor="openai", wants_usage=False, **asked):
        options = StreamOptions(include_usage=True) if wants_usage else None
        return Call(
            id="1",
            model="m",
            created_at=1_700_000_000,
            flavor=flavor,
            asked=Asked(model="m", stream=True, stream_options=options, **asked),
            answer=answer or Answer(text="Hello world"),
        )

    return make
