"""Which asks are refused: by how many are under way, by their priority, and by their time."""

from __future__ import annotations

import pytest

import penguiray as pr
from penguiray.ingress.admission import Admission, most_asks
from penguiray.link.message import Facts


def facts(priority: str = "normal", *, deadline: float | None = None) -> Facts:
    return Facts(headers={"priority": priority}, deadline=deadline)


def filled(admission: Admission, priority: str, first: int = 0) -> int:
    """Admit asks until one is refused; gives how many were."""
    for number in range(1_000):
        if admission.admit(first + number, facts(priority), 0, 0.0) is not None:
            return number
    raise AssertionError


@pytest.mark.parametrize(
    ("max_asks", "low", "normal", "high"),
    [(1, 1, 1, 1), (2, 1, 2, 2), (9, 5, 9, 9), (10, 5, 9, 10), (100, 50, 90, 100), (10_000, 5_000, 9_000, 10_000)],
)
def test_the_last_tenth_is_for_high_and_low_ones_have_half(max_asks: int, low: int, normal: int, high: int) -> None:
    assert [most_asks(one, max_asks) for one in ("low", "normal", "high")] == [low, normal, high]


def test_urgent_asks_are_admitted_where_others_are_refused() -> None:
    admission = Admission("run", 100)
    assert filled(admission, "low") == 50
    assert filled(admission, "normal", 1_000) == 40
    assert filled(admission, "low", 2_000) == 0
    assert filled(admission, "high", 3_000) == 10
    assert len(admission) == 100


def test_an_ask_that_ends_makes_room_for_another() -> None:
    admission = Admission("run", 1)
    assert admission.admit(1, None, 0, 0.0) is None
    refusal = admission.admit(2, None, 1, 0.0)
    assert refusal is not None
    assert (refusal.run, refusal.asks, refusal.expected_s) == ("run", 1, 0.0)
    assert "max_asks=1 " in str(refusal)
    assert "tried again later" in str(refusal)
    assert 2 not in admission
    admission.end(1, 1.0, has_expired=False)
    assert admission.admit(2, None, 0, 1.0) is None


def behind_ten(
    admission: Admission, priority: str = "normal", *, has_expired: bool = True, took_s: float = 0.2
) -> None:
    """Eight asks that found ten inputs under way, and had 0.2 s."""
    for number in range(8):
        assert admission.admit(number, facts(priority, deadline=0.2), 10, 0.0) is None
    for number in range(8):
        admission.end(number, took_s, has_expired=has_expired)


def test_an_ask_whose_time_is_too_short_is_refused_where_others_took_longer() -> None:
    admission = Admission("run", 100)
    behind_ten(admission)
    refusal = admission.admit(9, facts(deadline=0.4), 10, 0.2)
    assert isinstance(refusal, pr.Overloaded)
    assert refusal.expected_s == pytest.approx(0.2)
    assert "took 0.2 s lately, and this one has 0.2 s" in str(refusal)
    assert len(admission) == 0


def test_one_with_more_time_or_less_before_it_or_none_said_is_admitted() -> None:
    admission = Admission("run", 100)
    behind_ten(admission)
    assert admission.admit(20, facts(deadline=0.6), 10, 0.2) is None
    assert admission.admit(21, facts(deadline=0.4), 9, 0.2) is None
    assert admission.admit(22, facts(), 10, 0.2) is None
    assert admission.admit(23, None, 10, 0.2) is None


def test_while_nothing_is_under_way_any_ask_is_tried() -> None:
    admission = Admission("run", 100)
    for number in range(8):
        assert admission.admit(number, facts(deadline=0.2), 0, 0.0) is None
        admission.end(number, 0.2, has_expired=True)
    assert admission.admit(9, facts(deadline=0.4), 1, 0.2) is not None
    assert admission.admit(9, facts(deadline=0.4), 0, 0.2) is None


def test_each_priority_has_evidence_of_its_own() -> None:
    admission = Admission("run", 100)
    behind_ten(admission, "low")
    assert admission.admit(9, facts("high", deadline=0.4), 10, 0.2) is None
    assert admission.admit(10, facts("low", deadline=0.4), 10, 0.2) is not None


def test_one_that_was_given_up_early_says_no_more_than_the_time_it_took() -> None:
    admission = Admission("run", 100)
    behind_ten(admission, has_expired=False, took_s=0.1)
    assert admission.admit(9, facts(deadline=0.3), 10, 0.1) is None


def test_one_that_was_not_begun_would_have_taken_longer_than_it_had() -> None:
    admission = Admission("run", 100)
    behind_ten(admission, has_expired=True, took_s=0.1)
    assert admission.admit(9, facts(deadline=0.3), 10, 0.1) is not None
