"""Which deployment is tried next, and when."""

from __future__ import annotations

import pytest

from tickertape.core.attempts import AttemptPlan, NextAttempt, RetryPolicy
from tickertape.core.errors import ConfigurationError
from tickertape.core.retry import Backoff

BACKOFF = Backoff(first_s=1, longest_s=8, max_retries=2, longest_asked_s=60)


def fail(plan, route, *, now_s=0.0, is_retryable=True, asked_s=None, fraction=1.0):
    plan.begin(route)
    plan.fail(route, now_s=now_s, is_retryable=is_retryable, asked_s=asked_s, fraction=fraction)


def test_one_route_is_tried_again_after_its_wait():
    """The waits grow, and end."""
    plan = AttemptPlan(1, backoff=BACKOFF)
    assert NextAttempt(0, 0) == plan.next(now_s=100)
    fail(plan, 0, now_s=100)
    assert NextAttempt(0, 1) == plan.next(now_s=100)
    assert NextAttempt(0, 0.25) == plan.next(now_s=100.75)
    assert NextAttempt(0, 0) == plan.next(now_s=500)
    fail(plan, 0, now_s=101)
    assert NextAttempt(0, 2) == plan.next(now_s=101)
    fail(plan, 0, now_s=103)
    assert plan.next(now_s=103) is None


def test_untried_routes_come_first_in_order_and_at_once():
    """Nobody waits for a deployment that failed while another was never asked."""
    plan = AttemptPlan(3, backoff=BACKOFF)
    order = []
    for _ in range(3):
        attempt = plan.next(now_s=50)
        order.append(attempt)
        fail(plan, attempt.route, now_s=50)
    assert [NextAttempt(0, 0), NextAttempt(1, 0), NextAttempt(2, 0)] == order


def test_an_untried_route_comes_before_one_whose_wait_is_over():
    """However long ago it failed."""
    plan = AttemptPlan(2, backoff=BACKOFF)
    fail(plan, 0, now_s=0)
    assert NextAttempt(1, 0) == plan.next(now_s=1000)


def test_of_failed_routes_the_soonest_ready_is_next():
    """What each provider asked for counts."""
    plan = AttemptPlan(2, backoff=BACKOFF)
    fail(plan, 0, asked_s=30)
    fail(plan, 1, asked_s=20)
    assert NextAttempt(1, 20) == plan.next(now_s=0)


def test_a_final_refusal_takes_its_route_out():
    """A wrong key is as wrong the second time; the next deployment is tried."""
    plan = AttemptPlan(2, backoff=BACKOFF)
    fail(plan, 0, is_retryable=False)
    assert NextAttempt(1, 0) == plan.next(now_s=0)
    fail(plan, 1, is_retryable=False)
    assert plan.next(now_s=0) is None


def test_a_provider_that_asks_for_too_long_is_left():
    """Its retry would come after everyone has gone."""
    plan = AttemptPlan(1, backoff=BACKOFF)
    fail(plan, 0, asked_s=61)
    assert plan.next(now_s=0) is None


def test_a_route_that_is_being_tried_is_not_tried_beside_itself():
    """A hedge goes to another deployment."""
    plan = AttemptPlan(2, backoff=BACKOFF)
    plan.begin(0)
    assert NextAttempt(1, 0) == plan.next(now_s=0)
    plan.begin(1)
    assert plan.next(now_s=0) is None


def test_giving_up_leaves_nothing():
    """What was said holds for every route."""
    plan = AttemptPlan(3, backoff=BACKOFF)
    plan.give_up()
    assert plan.next(now_s=0) is None


@pytest.mark.parametrize("value", [-1, float("nan")])
def test_a_hedge_that_is_no_time_is_refused(value):
    """The message names the setting and the value."""
    with pytest.raises(ConfigurationError, match=f"hedge_after_s .* not {value!r}"):
        RetryPolicy(hedge_after_s=value)
