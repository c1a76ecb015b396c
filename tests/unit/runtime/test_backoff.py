"""Pauses grow to a bound and are jittered; the budget bounds how much of the load is retries."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from penguiray.graph.policies import Retry
from penguiray.runtime.backoff import RetryBudget, pause_before


@given(seed=st.integers(0, 2**32), attempt=st.integers(2, 10_000))
def test_a_pause_stays_under_a_bound_that_doubles_and_then_stands(seed: int, attempt: int) -> None:
    policy = Retry(initial_s=0.1, max_s=3.0)
    pause = pause_before(attempt, policy, random.Random(seed))
    assert 0.0 <= pause <= min(3.0, 0.1 * 2 ** min(attempt - 2, 20))


def test_pauses_are_spread_over_the_whole_range() -> None:
    rng, policy = random.Random(7), Retry(initial_s=1.0, max_s=8.0)
    pauses = [pause_before(4, policy, rng) for _ in range(1_000)]
    assert min(pauses) < 0.2
    assert max(pauses) > 3.8


def test_no_initial_pause_means_no_pause() -> None:
    assert pause_before(9, Retry(initial_s=0, max_s=0), random.Random(1)) == 0.0


@given(st.lists(st.booleans(), max_size=300), st.integers(0, 10), st.sampled_from([0.0, 0.1, 0.2, 1.0]))
def test_retries_never_exceed_the_reserve_and_what_calls_have_earned(
    calls: list[bool], reserve: int, ratio: float
) -> None:
    budget = RetryBudget(Retry(budget_ratio=ratio, budget_reserve=reserve))
    earned = spent = 0
    for is_first in calls:
        if is_first:
            budget.earn()
            earned += 1
        else:
            spent += budget.spend()
        assert spent <= reserve + ratio * earned + 1e-6
        assert -1e-9 <= budget.tokens <= reserve


def test_a_budget_without_reserve_and_ratio_allows_nothing() -> None:
    budget = RetryBudget(Retry(budget_ratio=0, budget_reserve=0))
    budget.earn(1_000)
    assert not budget.spend()
