"""The count behind a rate: no stretch of time holds more begun calls than it may, however late they begin."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

import penguiray as pr
from penguiray.runtime.rate import RateWindow


def test_a_window_gives_what_it_has_and_says_when_there_is_more() -> None:
    window = RateWindow(pr.Rate(3, per_s=10))
    assert window.ask(begun=0, want=2, now=0).permits == 2
    grant = window.ask(begun=2, want=2, now=1)
    assert (grant.permits, grant.waits_s) == (1, (10,))
    grant = window.ask(begun=0, want=4, now=4)
    assert (grant.permits, grant.waits_s) == (0, (7, 7, 10, 17))
    assert window.ask(begun=0, want=1, now=10.9).permits == 0
    assert window.ask(begun=1, want=5, now=11).permits == 2


def test_a_permit_counts_for_as_long_as_its_call_has_not_begun() -> None:
    window = RateWindow(pr.Rate(1, per_s=1))
    assert window.ask(begun=0, want=1, now=0).permits == 1
    assert window.ask(begun=0, want=1, now=100).permits == 0
    assert window.ask(begun=1, want=1, now=101).permits == 0
    assert window.ask(begun=0, want=1, now=102).permits == 1


@dataclass
class Asker:
    """A replica whose answers, calls and reports take as long as is drawn."""

    begins: list[float] = field(default_factory=list)
    """When the calls of its permits begin; those that lie ahead are not reported yet."""
    reported: int = 0

    def ask(self, window: RateWindow, want: int, now: float, delay: float) -> int:
        self.begins.sort()
        begun = sum(begin <= now for begin in self.begins)
        grant = window.ask(begun=begun - self.reported, want=want, now=now)
        self.reported = begun
        self.begins += [now + delay] * grant.permits
        return grant.permits


steps = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 8), st.integers(0, 12)), min_size=1, max_size=80
)


@settings(max_examples=200, deadline=None)
@given(calls=st.integers(1, 6), per_s=st.integers(1, 10), steps=steps)
def test_no_window_holds_more_begun_calls_than_allowed_however_late_they_begin(
    calls: int, per_s: int, steps: list[tuple[int, int, int, int]]
) -> None:
    window, askers, now = RateWindow(pr.Rate(calls, per_s=per_s)), [Asker(), Asker(), Asker()], 0
    for who, want, pause, delay in steps:
        now += pause
        askers[who].ask(window, want, now, delay)
    begins = sorted(begin for asker in askers for begin in asker.begins)
    assert all(later - begin >= per_s for begin, later in zip(begins, begins[calls:], strict=False))


@given(calls=st.integers(1, 6), rounds=st.integers(1, 5))
def test_calls_that_begin_at_once_reach_the_rate_that_is_allowed(calls: int, rounds: int) -> None:
    window, given = RateWindow(pr.Rate(calls, per_s=1)), 0
    for now in range(rounds):
        permits = window.ask(begun=0, want=calls, now=now).permits
        window.ask(begun=permits, want=0, now=now)
        given += permits
    assert given == calls * rounds


def test_who_takes_the_count_over_begins_with_a_full_window_and_knows_no_permits_of_its_predecessor() -> None:
    window = RateWindow(pr.Rate(3, per_s=10.0), full_at=100.0)
    assert window.ask(begun=2, want=2, now=101.0).permits == 0
    assert window.ask(begun=0, want=5, now=110.5).permits == 1
    assert window.ask(begun=1, want=5, now=111.5).permits == 2


def test_permits_of_a_replica_that_is_lost_come_back_when_its_calls_would_have_left_the_window() -> None:
    window = RateWindow(pr.Rate(3, per_s=10.0))
    assert window.ask(begun=0, want=3, now=100.0, asker=1).permits == 3
    window.lose(1, 101.0)
    assert window.ask(begun=0, want=3, now=110.5, asker=2).permits == 0
    assert window.ask(begun=0, want=3, now=111.5, asker=2).permits == 3
