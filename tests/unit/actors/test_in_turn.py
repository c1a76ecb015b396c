"""Reports are taken in by their numbers, whichever call comes first."""

from __future__ import annotations

import random

import pytest

from penguiray.actors.in_turn import InTurn
from penguiray.link.frame import LinkId

ONE, OTHER = LinkId(0, 0), LinkId(0, 1)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_first_is_due_in_its_turn(seed: int) -> None:
    turns, numbers, due = InTurn[int](), list(range(1, 20)), list[int]()
    for number in random.Random(seed).sample(numbers, len(numbers)):
        due += turns.due(ONE, number, number)
    assert due == numbers


def test_replicas_are_told_apart_and_a_successor_begins_anew() -> None:
    turns = InTurn[str]()
    assert turns.due(ONE, 1, "a") == ["a"]
    assert turns.due(OTHER, 2, "early") == []
    turns.forget(OTHER)
    assert turns.due(OTHER, 1, "of the successor") == ["of the successor"]
    assert turns.due(ONE, 2, "b") == ["b"]


def test_what_came_too_early_and_comes_again_has_its_turn_once() -> None:
    """By a stream that broke, and by the call behind it, which the driver repeats when its report is taken in."""
    turns = InTurn[str]()
    assert turns.due(ONE, 2, "by the stream") == []
    assert turns.due(ONE, 2, "by a call") == []
    assert turns.due(ONE, 1, "a") == ["a", "by a call"]


def test_what_comes_again_is_due_at_once_and_so_is_what_has_no_number() -> None:
    turns = InTurn[str]()
    assert turns.due(ONE, 1, "a") == ["a"]
    assert turns.due(ONE, 1, "a again") == ["a again"]
    assert turns.due(ONE, 0, "of another process") == ["of another process"]
