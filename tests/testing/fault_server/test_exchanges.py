"""What a server records of its exchanges."""

import pytest

from tickertape.testing.fault_server import EndedOtherwise, WaitedTooLong, exchanges
from tickertape.testing.fault_server.exchanges import ExchangeLog
from tickertape.testing.fault_server.http_messages import HttpRequest


@pytest.fixture
def log():
    return ExchangeLog(clock=lambda: 5.0)


def record(log, path="/"):
    request = HttpRequest(method="POST", path=path, query={}, headers={}, body=b'{"a":1}')
    return log.record(request, connection=3)


def take(log):
    return log.take_next(timeout_s=0).result().request.path


def test_a_request_is_recorded_with_its_time(log):
    """And its decoded body."""
    exchange = record(log)
    assert ({"a": 1}, b'{"a":1}', 5.0, 3) == (
        exchange.request.body,
        exchange.request.raw_body,
        exchange.request.started_at,
        exchange.connection,
    )


def test_exchanges_are_taken_in_order(log):
    """Before or after they came; once each."""
    early = log.take_next(timeout_s=0)
    record(log, "/0")
    record(log, "/1")
    assert ["/0", "/1"] == [early.result().request.path, take(log)]
    with pytest.raises(WaitedTooLong):
        take(log)
    assert ["/0", "/1"] == [exchange.request.path for exchange in log.all()]


def test_the_oldest_are_forgotten(log, monkeypatch):
    """Also by who takes them late; nothing grows."""
    monkeypatch.setattr(exchanges, "MAX_EXCHANGES", 2)
    log = ExchangeLog(clock=lambda: 5.0)
    for number in range(5):
        record(log, f"/{number}")
    assert ["/3", "/4"] == [exchange.request.path for exchange in log.all()]
    assert 2 == len(log._arrivals)
    assert ["/3", "/4"] == [take(log), take(log)]
    assert not log._arrivals


def test_an_end_settles_every_wait(log):
    """What can't happen any more raises."""
    exchange = record(log)
    exchange.note_sent(chunks=2, body_bytes=9)
    exchange.note_end("finished")
    exchange.note_end("hung_up")
    assert "finished" == exchange.ended(timeout_s=0).result()
    for wait in (exchange.hung_up, exchange.stalled):
        with pytest.raises(EndedOtherwise, match="chunks_sent=2 ended_by=finished"):
            wait(timeout_s=0).result()


def test_hanging_up_tells_how_many_chunks_were_sent(log):
    """A stall before it stays known."""
    exchange = record(log)
    exchange.note_sent(chunks=2, body_bytes=9)
    exchange.note_stall()
    exchange.note_sent(chunks=1, body_bytes=9)
    exchange.note_end("hung_up")
    assert (2, 3) == (
        exchange.stalled(timeout_s=0).result(),
        exchange.hung_up(timeout_s=0).result(),
    )
