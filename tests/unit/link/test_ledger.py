"""The ledger of a root: done exactly when all is finished, however the reports come."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from penguiray.link.ledger import Ledger


def random_tree(rng: random.Random, roots: int, size: int) -> dict[int, list[int]]:
    """Messages by id, with the ids of their outputs."""
    outputs: dict[int, list[int]] = {number: [] for number in range(roots)}
    for number in range(roots, size):
        outputs[rng.randrange(number)].append(number)
        outputs[number] = []
    return outputs


@given(seed=st.integers(0, 2**32), roots=st.integers(1, 3), size=st.integers(3, 40))
def test_a_root_is_done_with_its_last_report_in_any_order_and_repetition(seed: int, roots: int, size: int) -> None:
    rng = random.Random(seed)
    outputs = random_tree(rng, roots, size)
    reports = [*outputs, *rng.choices(list(outputs), k=size)]
    rng.shuffle(reports)
    ledger = Ledger(range(roots))
    seen: set[int] = set()
    for message in reports:
        assert ledger.is_done == (len(seen) == len(outputs))
        assert ledger.finish(message, outputs[message]) == (message not in seen)
        seen.add(message)
    assert ledger.is_done
    assert ledger.finished == set(outputs)


def test_a_child_that_is_reported_before_its_parent_is_not_opened_again() -> None:
    ledger = Ledger([1])
    assert ledger.finish(2, ())
    assert ledger.open == {1}
    assert ledger.finish(1, [2])
    assert ledger.open == set()
    assert not ledger.finish(1, [2, 3])
    assert ledger.is_done


def test_a_root_whose_messages_all_wait_is_stuck_at_the_first_join_and_not_done() -> None:
    ledger = Ledger([1, 2, 3])
    ledger.park(1, 5)
    ledger.park(2, 4)
    stuck = [ledger.stuck_at]
    for message_id, outputs in ((3, []), (2, [6]), (6, []), (1, list[int]())):
        ledger.finish(message_id, outputs)
        stuck.append(ledger.stuck_at)
    assert stuck == [None, 4, None, 5, None]
    assert ledger.is_done


def test_a_message_that_was_finished_is_not_parked_by_a_report_that_comes_again() -> None:
    ledger = Ledger([1])
    ledger.finish(1, [])
    ledger.park(1, 5)
    assert ledger.is_done


def test_a_child_that_waits_at_a_join_before_its_parent_is_reported_is_not_opened() -> None:
    ledger = Ledger([1])
    ledger.park(2, 5)
    ledger.finish(1, [2])
    assert (ledger.open, ledger.stuck_at, ledger.is_done) == (set(), 5, False)


def test_what_waits_of_one_root_says_nothing_about_another() -> None:
    one, other = Ledger([1]), Ledger([2])
    one.park(1, 5)
    assert other.parked == {}
    assert Ledger([3]).parked == {}
    one.park(4, 6)
    assert one.parked == {1: 5, 4: 6}


def test_what_is_unfinished_has_another_mark_when_it_is_parked_and_none_when_it_is_finished() -> None:
    ledger = Ledger([1, 2, 3])
    assert dict(ledger.unfinished()) == {1: 1, 2: 2, 3: 3}
    ledger.park(2, 5)
    ledger.finish(3, [])
    marks = dict(ledger.unfinished())
    assert marks.keys() == {1, 2}
    assert marks[1] == 1
    assert marks[2] not in {1, 2, 3}


def test_a_ledger_remembers_all_messages_whatever_became_of_them() -> None:
    ledger = Ledger([1, 2, 3])
    ledger.park(2, 5)
    ledger.finish(3, [4, 5])
    assert len(ledger) == 5
