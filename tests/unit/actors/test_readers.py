"""Who is attached to a replica, decided at once and in whatever order the calls of a process come."""

from __future__ import annotations

import pytest

from penguiray.actors.reader import MOST_ATTACHED, Reader
from penguiray.actors.readers import Readers
from penguiray.control.lease import LEASE_S, LOOK_S
from penguiray.graph.policies import FlowOptions


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def readers(clock: Clock) -> Readers:
    return Readers(lambda: Reader(FlowOptions(), node="last", clock=clock, is_owner=False))


def test_whoever_joined_is_there_at_once(readers: Readers) -> None:
    assert 7 not in readers
    assert readers.join(7)
    assert 7 in readers
    assert readers.get(7) is not None


def test_joining_again_keeps_what_a_process_was_told(readers: Readers) -> None:
    readers.join(7)
    reader = readers.get(7)
    assert readers.join(7)
    assert readers.get(7) is reader


def test_an_admission_takes_a_place_at_once_and_leaving_frees_it(readers: Readers) -> None:
    assert all(readers.admit(number) for number in range(1, MOST_ATTACHED + 1))
    assert not readers.admit(100)
    readers.remove(1)
    assert readers.admit(101)
    assert readers.numbers() == [*range(2, MOST_ATTACHED + 1), 101]


def test_a_process_that_left_does_not_come_back_by_a_call_that_was_late(readers: Readers) -> None:
    assert readers.remove(7) is None
    assert not readers.join(7)
    readers.join(8)
    assert readers.remove(8) is not None
    assert not readers.join(8)
    assert readers.numbers() == []


def test_only_who_is_silent_for_the_lease_is_named(readers: Readers, clock: Clock) -> None:
    for number in (7, 8):
        readers.join(number)
    while clock.time < LEASE_S:
        assert readers.silent(clock.time) == []
        clock.time += LOOK_S
        reader = readers.get(8)
        assert reader is not None
        reader.lease.renew(clock.time)
    assert readers.silent(clock.time) == [7]


def test_a_replica_that_stood_still_names_nobody(readers: Readers, clock: Clock) -> None:
    readers.join(7)
    clock.time = 10 * LEASE_S
    assert readers.silent(clock.time) == []
