"""How long a process stood still lately: the longest time that is remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.link.absence import Absence

LOOK_S = 0.05


def lately(*noted: tuple[float, float]) -> list[float]:
    absence, seen = Absence(), list[float]()
    for now, late_s in noted:
        absence.note(late_s, now)
        seen.append(absence.lately_s)
    return seen


def test_the_longest_counts_and_is_forgotten_after_a_hundred_times_its_length() -> None:
    assert lately((1.0, 0.004), (2.0, 0.3), (3.0, 0.02), (4.0, 0.4)) == [0.0, 0.3, 0.3, 0.4]
    assert lately((2.0, 0.3), (31.9, 0.0), (32.1, 0.0), (33.0, 0.02)) == [0.3, 0.3, 0.0, 0.02]


def test_one_that_is_half_as_long_renews_it() -> None:
    assert lately((0.0, 0.3), (20.0, 0.29), (48.0, 0.16), (63.0, 0.0), (64.1, 0.0)) == [0.3] * 4 + [0.0]
    assert lately((0.0, 0.3), (20.0, 0.14), (30.1, 0.0)) == [0.3, 0.3, 0.0]


@pytest.mark.parametrize("late_s", [1.5, 600.0])
def test_no_more_than_a_second_is_expected_again_and_that_for_a_hundred_seconds(late_s: float) -> None:
    assert lately((0.0, late_s), (99.0, 0.0), (101.0, 0.0)) == [1.0, 1.0, 0.0]


@given(st.lists(st.floats(0.0, 5.0), max_size=100))
def test_it_is_one_that_was_noted_and_never_less_than_the_last(lates: list[float]) -> None:
    absence = Absence()
    for number, late_s in enumerate(lates):
        absence.note(late_s, number * LOOK_S)
        noted = {min(1.0, one) for one in lates[: number + 1]} | {0.0}
        assert absence.lately_s in noted
        assert absence.lately_s >= min(1.0, late_s) or late_s <= 0.005
