"""A run outlives any number of losses while it gets on, and ends where it does not."""

from __future__ import annotations

from penguiray.control.restarts import FORGET_S, LONGEST_PAUSE_S, MOST_IN_A_ROW, Restarts
from penguiray.link.frame import LinkId

ONE, OTHER = LinkId(0, 0), LinkId(0, 1)


def test_losses_between_which_inputs_get_done_are_no_reason_to_end() -> None:
    restarts = Restarts()
    assert all(restarts.may_replace(ONE, done, 0.0) for done in range(1_000))


def test_so_many_losses_in_a_row_end_the_run_and_each_replica_counts_by_itself() -> None:
    restarts = Restarts()
    assert all(restarts.may_replace(ONE, 7, 0.0) for _ in range(MOST_IN_A_ROW))
    assert restarts.may_replace(OTHER, 7, 0.0)
    assert not restarts.may_replace(ONE, 7, 0.0)
    assert restarts.may_replace(ONE, 8, 0.0)


def test_losses_that_lie_far_apart_are_forgotten() -> None:
    restarts = Restarts()
    assert all(restarts.may_replace(ONE, 7, number * (FORGET_S + 1)) for number in range(100))


def test_the_longer_successors_do_not_start_the_longer_is_the_pause_before_the_next_one() -> None:
    restarts = Restarts()
    pauses = []
    for _ in range(9):
        pauses.append(restarts.pause_s(ONE))
        restarts.note_start(ONE, failed=True)
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert restarts.pause_s(OTHER) == 0.0
    restarts.note_start(ONE, failed=False)
    assert restarts.pause_s(ONE) == 0.0
