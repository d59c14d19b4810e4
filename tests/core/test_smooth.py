"""The display buffer: the vectors, and what holds for any text at any time."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vectors import by_name, vectors
from tickertape.core.errors import ConfigurationError
from tickertape.core.graphemes import GraphemeSplitter
from tickertape.core.smooth import FRAME_S, DisplayBuffer

ROUNDING_S = 1e-9

texts = st.text(
    st.sampled_from("abc \n\r\u0301\u200d\ufe0f\u094d\u0915\u1100\u1161\U0001f468\U0001f1e9")
    | st.characters(),
    max_size=12,
)
gaps_s = st.sampled_from([0.0, 0.0, 0.001, 0.02, 0.1, 0.3, 2.0]) | st.floats(0, 1)
arrivals = st.lists(st.tuples(gaps_s, texts), max_size=20)
delays_s = st.sampled_from([0.0, 0.01, 0.25]) | st.floats(0, 2)
frames_s = st.sampled_from([0.0, FRAME_S]) | st.floats(0, 0.5)
# Any calls in any order, at times that may go back.
calls = st.lists(
    st.tuples(st.sampled_from(["push", "pop", "finish"]), texts, st.floats(-10, 10)), max_size=30
)


def show(arrivals, buffer) -> tuple[list[tuple[float, str]], list[tuple[float, str]]]:
    """Return what arrived and what was shown, with times, for a caller with one timer."""
    arrived, shown, now_s = [], [], 0.0

    def pop_until(end_s: float) -> None:
        while (at_s := buffer.next_at_s()) is not None and at_s <= end_s:
            shown.append((at_s, buffer.pop(now_s=at_s)))

    for gap_s, text in arrivals:
        now_s += gap_s
        pop_until(now_s)
        buffer.push(text, now_s=now_s)
        arrived.append((now_s, text))
    pop_until(math.inf)
    return arrived, shown


def joined(moments) -> str:
    return "".join([text for _, text in moments])


def each(moments) -> list[float]:
    """Return the time of each character."""
    return [at_s for at_s, text in moments for _ in text]


class TestVectors:
    @pytest.mark.parametrize("vector", vectors("smooth"), ids=by_name)
    def test_every_step_gives_what_the_vector_says(self, vector):
        """Texts and times are the same to the last bit."""
        buffer = DisplayBuffer(max_delay_s=vector["max_delay_s"], frame_s=vector["frame_s"])
        for number, step in enumerate(vector["steps"]):
            match step:
                case {"push": text, "at_s": at_s}:
                    buffer.push(text, now_s=at_s)
                case {"pop": text, "at_s": at_s}:
                    assert text == buffer.pop(now_s=at_s), number
                case {"next_at_s": at_s}:
                    assert at_s == buffer.next_at_s(), number
                case {"finish": text}:
                    assert text == buffer.finish(), number
                case _:
                    pytest.fail(f"no such step: {step!r}")


class TestText:
    @given(calls, delays_s, frames_s)
    def test_what_is_shown_is_what_was_pushed(self, calls, max_delay_s, frame_s):
        """Nothing is lost, repeated or reordered, whatever is called when, forever."""
        buffer = DisplayBuffer(max_delay_s=max_delay_s, frame_s=frame_s)
        pushed = shown = ""
        for call, text, now_s in calls:
            match call:
                case "push":
                    buffer.push(text, now_s=now_s)
                    pushed += text
                case "pop":
                    shown += buffer.pop(now_s=now_s)
                    assert pushed.startswith(shown)
                case "finish":
                    shown += buffer.finish()
                    assert pushed == shown
                    assert buffer.next_at_s() is None
        assert pushed == shown + buffer.finish()

    @given(arrivals, delays_s, frames_s)
    def test_a_caller_with_a_timer_sees_everything(self, arrivals, max_delay_s, frame_s):
        """Even without the end, nothing stays; and no call is in vain."""
        arrived, shown = show(arrivals, DisplayBuffer(max_delay_s=max_delay_s, frame_s=frame_s))
        assert joined(arrived) == joined(shown)
        assert all(text for _, text in shown)


class TestTime:
    @given(arrivals, delays_s, frames_s)
    def test_nothing_is_held_back_beyond_the_bound(self, arrivals, max_delay_s, frame_s):
        """No character is shown later than that after its arrival, and none before it."""
        arrived, shown = show(arrivals, DisplayBuffer(max_delay_s=max_delay_s, frame_s=frame_s))
        for arrived_s, shown_s in zip(each(arrived), each(shown), strict=True):
            assert arrived_s <= shown_s <= arrived_s + max_delay_s + ROUNDING_S

    @given(arrivals, delays_s, frames_s)
    def test_calls_are_a_frame_apart(self, arrivals, max_delay_s, frame_s):
        """A timer never asks for more, unless the bound is shorter than a frame."""
        _, shown = show(arrivals, DisplayBuffer(max_delay_s=max_delay_s, frame_s=frame_s))
        apart_s = min(frame_s, max_delay_s) - ROUNDING_S
        times_s = [at_s for at_s, _ in shown]
        assert all(after - before >= apart_s for before, after in pairwise(times_s))

    @given(texts.filter(bool), st.floats(-1e6, 1e6), delays_s)
    def test_the_first_text_is_shown_at_once(self, text, now_s, max_delay_s):
        """Whole, with the cluster that may still grow."""
        buffer = DisplayBuffer(max_delay_s=max_delay_s)
        buffer.push(text, now_s=now_s)
        assert now_s == buffer.next_at_s()
        assert text == buffer.pop(now_s=now_s)

    @given(arrivals, frames_s)
    def test_no_delay_passes_everything_through(self, arrivals, frame_s):
        """With a bound of 0 a pop returns what has just come."""
        buffer, now_s = DisplayBuffer(max_delay_s=0, frame_s=frame_s), 0.0
        for gap_s, text in arrivals:
            now_s += gap_s
            buffer.push(text, now_s=now_s)
            assert text == buffer.pop(now_s=now_s)

    @given(arrivals, texts, frames_s)
    def test_more_text_puts_nothing_off(self, arrivals, more, frame_s):
        """At no time is less shown than would have been without it."""
        plain, buffer = DisplayBuffer(frame_s=frame_s), DisplayBuffer(frame_s=frame_s)
        now_s = 0.0
        for gap_s, text in arrivals:
            now_s += gap_s
            plain.push(text, now_s=now_s)
            buffer.push(text, now_s=now_s)
        buffer.push(more, now_s=now_s + 0.01)
        without = with_more = 0
        for step in range(30):
            without += len(plain.pop(now_s=now_s + 0.01 + step / 100))
            with_more += len(buffer.pop(now_s=now_s + 0.01 + step / 100 + ROUNDING_S))
            assert without <= with_more


class TestClusters:
    @given(arrivals, delays_s, frames_s)
    def test_what_arrives_in_time_is_never_cut(self, arrivals, max_delay_s, frame_s):
        """A display ends inside a cluster only if the rest of it came too late to wait for."""
        arrived, shown = show(arrivals, DisplayBuffer(max_delay_s=max_delay_s, frame_s=frame_s))
        ends = set(accumulate(len(text) for _, text in shown))
        window_s = max_delay_s - min(frame_s, max_delay_s)
        pushes = [(number, at_s) for number, (at_s, text) in enumerate(arrived) for _ in text]
        first = 0
        for cluster in GraphemeSplitter().feed(joined(arrived))[1]:
            last = first + len(cluster) - 1
            (push, began_s), (last_push, ended_s) = pushes[first], pushes[last]
            came_in_time = began_s > pushes[0][1] and ended_s < began_s + window_s
            if push == last_push or came_in_time:
                assert ends.isdisjoint(range(first + 1, last + 1)), ascii(cluster)
            first = last + 1

    @pytest.mark.parametrize("delta", ["a", "👨", "e\u0301", "ㄱ", "\u0915", "🇩"])
    def test_the_last_cluster_waits_for_what_may_continue_it(self, delta):
        """Until its time is up, one frame before the bound."""
        buffer = DisplayBuffer(max_delay_s=0.25, frame_s=0.05)
        buffer.push(".", now_s=0)
        buffer.pop(now_s=0)
        buffer.push(delta, now_s=1)
        assert "" == buffer.pop(now_s=1.19)
        assert 1.2 == buffer.next_at_s()
        assert delta == buffer.pop(now_s=1.2)


class TestPace:
    def test_a_burst_is_spread_evenly(self):
        """In frames of one size, over the whole of the bound."""
        _, shown = show([(0, "a"), (1, "0123456789" * 10)], DisplayBuffer())
        sizes = [len(text) for _, text in shown[1:]]
        assert {6, 7, 8} >= set(sizes[1:-1])
        assert shown[-1][0] - shown[1][0] == pytest.approx(0.25 - FRAME_S, abs=FRAME_S)

    def test_a_quick_stream_is_hardly_delayed(self):
        """The delay follows the pauses of the stream, not the bound."""
        arrived, shown = show([(0.02, "word ")] * 50, DisplayBuffer(max_delay_s=2))
        delays = [b - a for a, b in zip(each(arrived[:-1]), each(shown), strict=False)]
        assert max(delays) < 0.02 + 2 * FRAME_S

    def test_waiting_text_is_looked_at_once(self, monkeypatch):
        """A push costs the same however much waits: no text is cut again."""
        buffer = DisplayBuffer()
        buffer.push("a", now_s=0)
        buffer.push("👨‍👩‍👧" * 1000, now_s=1)
        fed, feed = [], GraphemeSplitter.feed

        def spy(self, text):
            fed.append(text)
            return feed(self, text)

        monkeypatch.setattr(GraphemeSplitter, "feed", spy)
        for _ in range(100):
            buffer.push("bc", now_s=1.1)
            buffer.pop(now_s=1.1)
        assert ["bc"] * 100 == fed


class TestSettings:
    @pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("name", ["max_delay_s", "frame_s"])
    def test_a_time_that_is_none_is_refused(self, name, value):
        """The message names the setting and the value."""
        with pytest.raises(ConfigurationError, match=f"{name} .* not {value!r}"):
            DisplayBuffer(**{name: value})
