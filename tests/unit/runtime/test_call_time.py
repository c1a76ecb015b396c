"""What calls take is predicted from those that were made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.runtime.call_time import CallTime, SizeTime


def noted(*calls: tuple[int, float]) -> CallTime:
    time = CallTime()
    for size, seconds in calls:
        time.note(size, seconds)
    return time


def test_nothing_is_known_at_first() -> None:
    assert CallTime().seconds(100) == 0.0


def test_a_fixed_cost_and_one_for_each_message_are_found() -> None:
    time = noted(*((size, 0.1 + 0.01 * size) for size in (1, 2, 4, 8, 16)))
    assert time.seconds(1) == pytest.approx(0.11)
    assert time.seconds(50) == pytest.approx(0.6)


def test_calls_of_one_size_are_taken_to_be_in_proportion() -> None:
    assert noted((10, 1.0), (10, 1.0)).seconds(5) == pytest.approx(0.5)
    assert noted((10, 1.0), (10, 1.0)).seconds(20) == pytest.approx(2.0)


def test_newer_calls_count_more() -> None:
    time = noted(*[(size, 0.1) for size in (1, 50)] * 30, *[(size, 0.4) for size in (1, 50)] * 30)
    assert time.seconds(20) == pytest.approx(0.4, rel=0.1)


@given(calls=st.lists(st.tuples(st.integers(1, 4_096), st.floats(0.0, 100.0)), min_size=1), size=st.integers(1, 4_096))
def test_no_prediction_is_negative_and_more_messages_never_take_less(calls: list[tuple[int, float]], size: int) -> None:
    time = noted(*calls)
    assert time.seconds(size) >= -1e-9
    assert time.seconds(size + 1) >= time.seconds(size) - 1e-9


def test_the_cost_of_a_message_is_a_median_with_its_error() -> None:
    time = SizeTime(10)
    for seconds in (1.0, 1.0, 50.0):
        time.note(seconds)
    assert (time.calls, time.each_s, time.error) == (3, 0.1, 0.0)
    for seconds in (0.8, 1.2, 0.9, 1.1):
        time.note(seconds)
    assert 0.0 < time.error < 0.2


def test_calls_that_took_no_time_that_can_be_told_are_cheaper_the_larger_they_are() -> None:
    one, ten = SizeTime(1), SizeTime(10)
    one.note(0.0)
    ten.note(0.0)
    assert ten.each_s == pytest.approx(one.each_s / 10)
