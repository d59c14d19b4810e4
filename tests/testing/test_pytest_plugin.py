"""The fixture that users enable."""

import urllib.request

from tests.testing.fault_server.raw_client import answer, events, text_of
from tickertape.testing.fault_server import Answer
from tickertape.testing.pytest_plugin import fault_server  # noqa: F401


def test_a_synchronous_test_can_use_it(fault_server):  # noqa: F811
    """It runs in a thread, so blocking calls are answered."""
    request = urllib.request.Request(
        f"{fault_server.openai_base_url}/models",
        headers={"authorization": f"Bearer {fault_server.api_key}"},
    )
    with urllib.request.urlopen(request) as response:
        assert 200 == response.status
    assert "finished" == fault_server.next_exchange().result().ended().result()


async def test_an_asynchronous_test_can_use_it(fault_server):  # noqa: F811
    """What it waits for can be awaited."""
    fault_server.play(Answer(text="Hi"))
    assert "Hi" == events(text_of(await answer(fault_server)))[1]["choices"][0]["delta"]["content"]
    exchange = await fault_server.next_exchange()
    assert "finished" == await exchange.ended()
