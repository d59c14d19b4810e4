"""What was asked, as far as it changes the answer."""

import msgspec
import pytest

from tickertape.testing.answers import Answer
from tickertape.testing.fault_server.call import Asked


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b"{}", None),
        (b'{"max_tokens":5}', 5),
        (b'{"max_completion_tokens":0}', 0),
        (b'{"max_output_tokens":7}', 7),
        (b'{"max_tokens":null}', None),
    ],
)
def test_a_limit_has_many_names(body, limit):
    """Null is none."""
    assert limit == msgspec.json.decode(body, type=Asked).limit


def test_the_question_costs_tokens():
    """More for a longer one, whatever its form."""
    short = msgspec.json.decode(b'{"input":"Hello"}', type=Asked)
    long = msgspec.json.decode(b'{"input":[{"role":"user","content":"Hello"}]}', type=Asked)
    assert 1 <= short.input_tokens < long.input_tokens


@pytest.mark.parametrize(
    ("flavor", "filters", "expected"),
    [
        ("azure", "auto", "each_chunk"),
        ("openai", "auto", "off"),
        ("azure", "off", "off"),
        ("openai", "async", "async"),
    ],
)
def test_azure_annotates_unless_told_otherwise(call, flavor, filters, expected):
    """The answer decides; else the flavor."""
    assert expected == call(Answer(filters=filters), flavor=flavor).filters
