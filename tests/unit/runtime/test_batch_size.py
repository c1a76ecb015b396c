"""The size of batches follows what calls take, on servers whose costs are known."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.runtime.batch_size import LONGEST_CALL_S, MOST_MESSAGES, BatchSize

Cost = Callable[[int], float]
"""Seconds of a call with so many messages."""
SETTLED = 200
"""The last calls of a run, over which its size is looked at."""


def linear(call_s: float, message_s: float) -> Cost:
    return lambda size: call_s + message_s * size


def flat_up_to(knee: int, call_s: float = 0.01) -> Cost:
    return lambda size: call_s * max(1.0, size / knee)


def serve(
    decision: BatchSize, cost: Cost, calls: int = 600, *, memory: int | None = None, noise: float = 0.0, seed: int = 1
) -> list[int]:
    """Sizes of the calls that a server is given which always has enough to do."""
    rng, sizes = random.Random(seed), []
    for _ in range(calls):
        sizes.append(decision.size)
        if memory is not None and decision.size > memory:
            decision.note_out_of_memory(decision.size)
        else:
            decision.note(decision.size, cost(decision.size) * rng.lognormvariate(0.0, noise))
    return sizes


def settled(sizes: list[int]) -> float:
    return statistics.median(sizes[-SETTLED:])


@pytest.mark.parametrize(
    ("call_s", "message_s", "best"),
    [
        (1e-3, 1e-3, 19), (1e-3, 1e-4, 190), (1e-3, 1e-5, 1_900), (0.02, 5e-4, 760),  # 5 % are left to gain
        (0.1, 1e-3, 800), (0.3, 0.01, 60), (0.4, 0.01, 50),  # a call takes 0.9 s
        (0.6, 0.01, 49), (2.0, 0.1, 17), (3.0, 1.0, 4), (1.0, 1.0, 2),  # nine tenths of twice what one alone takes
        (5e-3, 1e-5, MOST_MESSAGES), (1e-6, 1e-3, 1),
    ],
)  # fmt: skip
def test_a_fixed_cost_is_shared_by_as_many_as_gain_from_it_and_are_in_time(
    call_s: float, message_s: float, best: int
) -> None:
    sizes = serve(BatchSize(), linear(call_s, message_s))
    assert 0.8 * best <= settled(sizes) <= 1.2 * best
    assert next(calls for calls, size in enumerate(sizes) if size >= 0.8 * best) <= 45


def test_a_time_limit_bounds_a_call_whatever_one_message_takes() -> None:
    assert settled(serve(BatchSize(timeout_s=4.0), linear(1.5, 0.05))) == 6
    assert settled(serve(BatchSize(timeout_s=2.0), linear(1.5, 0.05))) == 1


@pytest.mark.parametrize("knee", [5, 32, 50, 100, 1_000])
def test_a_server_that_is_full_at_a_knee_is_given_about_that(knee: int) -> None:
    assert 0.8 * knee <= settled(serve(BatchSize(), flat_up_to(knee))) <= 1.2 * knee


def test_where_more_makes_a_message_dearer_the_size_is_near_the_cheapest() -> None:
    sizes = serve(BatchSize(), lambda size: 0.01 + 1e-5 * size**2)
    assert 0.7 * 31.6 <= settled(sizes) <= 1.2 * 31.6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("call_s", "message_s", "best"), [(1e-3, 1e-4, 190), (0.1, 1e-3, 800), (0.3, 0.01, 60)])
def test_calls_that_vary_by_a_tenth_cost_little_throughput(
    call_s: float, message_s: float, best: int, seed: int
) -> None:
    cost = linear(call_s, message_s)
    sizes = serve(BatchSize(), cost, noise=0.1, seed=seed)[-300:]
    throughput = sum(sizes) / sum(cost(size) for size in sizes)
    assert throughput >= 0.9 * best / cost(best)


def test_one_call_that_is_held_up_changes_nothing() -> None:
    decision = BatchSize()
    decision.note(1, 5.0)  # a model that compiles itself in its first call
    sizes = serve(decision, linear(1e-3, 1e-4))
    assert 0.8 * 190 <= settled(sizes) <= 1.2 * 190
    before = decision.size
    decision.note(before, 5.0)
    assert decision.size == before


def test_a_size_follows_costs_that_change() -> None:
    decision = BatchSize()
    assert 0.8 * 190 <= settled(serve(decision, linear(1e-3, 1e-4))) <= 1.2 * 190
    assert 0.8 * 1_900 <= settled(serve(decision, linear(1e-2, 1e-4))) <= 1.2 * 1_900
    assert 0.8 * 190 <= settled(serve(decision, linear(1e-3, 1e-4))) <= 1.2 * 190


def test_calls_that_come_to_take_too_long_shrink_within_a_dozen_of_them() -> None:
    decision = BatchSize()
    assert settled(serve(decision, linear(0.1, 1e-4))) == MOST_MESSAGES
    sizes = serve(decision, linear(0.1, 1e-3), calls=20)
    assert sizes[-1] <= 900


def test_calls_that_were_not_full_say_nothing_about_the_size() -> None:
    decision = BatchSize()
    serve(decision, linear(1e-3, 1e-4), calls=14)
    before = decision.size
    for _ in range(100):
        decision.note(5, 1e-3)
    assert decision.size == before > 5


def test_a_size_is_halved_when_memory_runs_out_and_comes_back_up_to_what_fits() -> None:
    decision = BatchSize()
    sizes = serve(decision, linear(1e-2, 1e-5), calls=900, memory=100)
    too_large = [size for size in sizes if size > 100]
    assert 0.8 * 100 <= settled(sizes) <= 100
    assert len(too_large) <= 4, "each costs a batch"
    before = decision.size
    decision.note_out_of_memory(before)
    assert decision.size == before // 2


def test_a_size_that_ran_out_of_memory_is_tried_again_more_and_more_seldom() -> None:
    sizes = serve(BatchSize(), linear(1e-2, 1e-5), calls=20_000, memory=100)
    failed = [place for place, size in enumerate(sizes) if size > 100]
    begin, *later = [place for place in failed if place > 900]
    assert 1 <= len(later) <= 6
    gaps = [second - first for first, second in zip([begin, *later], later, strict=False)]
    assert gaps == sorted(gaps)


def test_a_server_whose_memory_holds_one_message_gets_one() -> None:
    sizes = serve(BatchSize(), linear(1e-2, 1e-5), calls=900, memory=1)
    assert settled(sizes) == 1
    assert sum(size > 1 for size in sizes) <= 3


def test_memory_that_became_free_is_used_again() -> None:
    decision = BatchSize(most=256)
    assert settled(serve(decision, linear(1e-2, 1e-5), calls=900, memory=40)) <= 40
    assert settled(serve(decision, linear(1e-2, 1e-5), calls=100_000)) >= 0.8 * 256


def test_a_call_that_was_cut_off_halves_the_size() -> None:
    decision = BatchSize()
    serve(decision, linear(1e-3, 1e-4))
    before = decision.size
    decision.note_cut_off(before)
    assert decision.size == before // 2


def test_what_was_under_way_when_a_size_was_given_up_does_not_halve_it_again() -> None:
    decision = BatchSize()
    serve(decision, linear(1e-2, 1e-5))
    before = decision.size
    for _ in range(32):
        decision.note_out_of_memory(before)
    assert decision.size == before // 2


EVENTS = st.tuples(st.sampled_from(["full", "less", "memory", "cut off"]), st.floats(0.0, 10.0), st.integers(1, 10_000))


@given(most=st.integers(1, 5_000), events=st.lists(EVENTS, max_size=200))
def test_a_size_stays_within_its_bounds_whatever_happens(most: int, events: list[tuple[str, float, int]]) -> None:
    decision = BatchSize(most)
    for kind, seconds, size in events:
        before = decision.size
        if kind == "full":
            decision.note(before, seconds)
        elif kind == "less":
            decision.note(size, seconds)
        elif kind == "memory":
            decision.note_out_of_memory(before)
            assert decision.size == max(1, before // 2)
        else:
            decision.note_cut_off(min(size, before))
            assert decision.size == max(1, min(size, before) // 2)
        assert 1 <= decision.size <= most


@given(times=st.lists(st.floats(0.0, 2 * LONGEST_CALL_S), min_size=1, max_size=300))
def test_a_size_is_never_more_than_double_of_what_was_called_before(times: list[float]) -> None:
    decision, largest = BatchSize(), 1
    for seconds in times:
        largest = max(largest, decision.size)
        decision.note(decision.size, seconds)
        assert decision.size <= 2 * largest
