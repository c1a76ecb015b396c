"""What an ask is expected to take, from those that found as much under way."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.ingress.waits import Waits

EACH_S = 0.01


def queue_of(length: int, *, timeout_s: float = 1.0, now: float = 0.0) -> Waits:
    """Waits that saw an ask behind each number of others, at 10 ms each."""
    waits = Waits()
    for found in range(length):
        waits.note(found=found, took_s=(found + 1) * EACH_S, timeout_s=timeout_s, now=now)
    return waits


def test_nothing_is_expected_without_evidence() -> None:
    waits = Waits()
    for _ in range(4):
        assert waits.expected_s(100, 1.0, 0.0) == 0.0
        waits.note(found=1, took_s=9.0, timeout_s=1.0, now=0.0)
    assert waits.expected_s(100, 1.0, 0.0) == 0.0
    waits.note(found=1, took_s=9.0, timeout_s=1.0, now=0.0)
    assert waits.expected_s(100, 1.0, 0.0) == 9.0
    assert waits.expected_s(0, 1.0, 0.0) == 0.0, "they found more than there is"


@pytest.mark.parametrize("under_way", [10, 20, 39])
def test_those_that_found_nearly_as_much_decide(under_way: int) -> None:
    expected_s = queue_of(40).expected_s(under_way, 1.0, 0.0)
    assert (under_way - 6) * EACH_S <= expected_s <= (under_way + 1) * EACH_S


def test_more_under_way_than_anybody_found_takes_at_least_what_the_last_took() -> None:
    assert 0.32 <= queue_of(40).expected_s(1_000, 1.0, 0.0) <= 0.40


def test_one_that_was_held_up_says_little() -> None:
    waits = queue_of(10)
    waits.note(found=9, took_s=60.0, timeout_s=1.0, now=0.0)
    assert waits.expected_s(9, 1.0, 0.0) < 0.1


def test_those_with_far_more_time_are_of_another_kind() -> None:
    waits = queue_of(10, timeout_s=30.0)
    assert waits.expected_s(9, 1.0, 0.0) == 0.0
    assert waits.expected_s(9, 15.0, 0.0) > 0.0
    assert waits.expected_s(9, 300.0, 0.0) > 0.0


def test_what_is_old_is_forgotten_sooner_if_it_was_short() -> None:
    waits = queue_of(10)
    assert waits.expected_s(9, 1.0, 0.9) > 0.0
    assert waits.expected_s(9, 1.0, 1.1) == 0.0
    slow = Waits()
    for _ in range(8):
        slow.note(found=1, took_s=10.0, timeout_s=20.0, now=0.0)
    assert slow.expected_s(1, 20.0, 19.0) == 10.0
    assert slow.expected_s(1, 20.0, 21.0) == 0.0


def test_a_change_is_believed_after_some_asks() -> None:
    waits = queue_of(40)
    for _ in range(64):
        waits.note(found=20, took_s=0.001, timeout_s=1.0, now=0.0)
    assert waits.expected_s(39, 1.0, 0.0) == 0.001


@given(seed=st.integers(0, 2**32), under_way=st.integers(0, 100))
def test_more_is_never_expected_than_some_ask_took(seed: int, under_way: int) -> None:
    rng, waits, longest_s = random.Random(seed), Waits(), 0.0
    for _ in range(rng.randrange(100)):
        took_s = rng.random()
        longest_s = max(longest_s, took_s)
        waits.note(found=rng.randrange(100), took_s=took_s, timeout_s=1.0, now=0.0)
    assert waits.expected_s(under_way, 1.0, 0.0) <= longest_s
