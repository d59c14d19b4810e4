"""What a finding says of its figures, and how texts are compared."""

from __future__ import annotations

import pytest

from benchmarks.findings import Finding, TextDiffers, check_text


@pytest.mark.parametrize(("ours", "reached"), [(2.0, True), (2.1, False)])
def test_a_floor_is_reached_by_the_ratio(ours, reached):
    """What users write must cost at least so many times as much as ours."""
    found = Finding(name="x", unit="µs", figures={"ours": ours, "usual": 80.0}, floor_times=40)
    assert reached == found.is_reached


@pytest.mark.parametrize(("ours", "reached"), [(3.0, True), (3.1, False)])
def test_a_ceiling_is_reached_whatever_others_need(ours, reached):
    """A ceiling is a figure of ours alone."""
    assert reached == Finding(name="x", unit="ms", figures={"ours": ours}, ceiling=3).is_reached


@pytest.mark.parametrize(("redis", "reached"), [(3.0, True), (3.1, False)])
def test_a_ceiling_is_for_every_log_of_ours(redis, reached):
    """And for nobody else."""
    figures = {"ours": 1.0, "ours_redis": redis, "usual": 9.0}
    assert reached == Finding(name="x", unit="ms", figures=figures, ceiling=3).is_reached


@pytest.mark.parametrize(("redis", "reached"), [(0.6, True), (0.5, False)])
def test_every_log_of_ours_must_reach_the_least(redis, reached):
    """Of what is better the more it is."""
    figures = {"ours_sqlite": 0.9, "ours_redis": redis}
    assert reached == Finding(name="x", unit="share", figures=figures, least=0.6).is_reached


def test_what_was_not_measured_is_neither_reached_nor_missed():
    """A missing figure gives no verdict."""
    assert Finding(name="x", unit="µs", figures={"usual": 1.0}, floor_times=8).is_reached is None


@pytest.mark.parametrize("received", ["", "one tw", "one two three", "one 2wo", "two one"])
def test_a_text_that_differs_anywhere_is_refused(received):
    """Lost, added and changed text are all told."""
    with pytest.raises(TextDiffers):
        check_text("one two", received, who="smoke")


def test_the_message_shows_where_texts_part():
    """It names the place and both texts from there."""
    with pytest.raises(TextDiffers, match="at 4 came '2wo' in place of 'two'"):
        check_text("one two", "one 2wo", who="smoke")


def test_nothing_of_ours_is_no_ratio():
    """A count may be 0, and a ceiling still be kept."""
    found = Finding(name="long tasks", unit="tasks", figures={"ours": 0, "usual": 7}, ceiling=0)
    assert found.times_less_than("usual") is None
    assert found.is_reached is True
