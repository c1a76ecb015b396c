"""A batch is cut when it is full, old enough, when nothing more will come, or while a deadline can be kept."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.graph.policies import Batch
from penguiray.link.ids import root_of
from penguiray.link.message import Facts, Messages
from penguiray.runtime.batcher import Batcher
from penguiray.runtime.call_time import CallTime


def of_call(call: int, *positions: int, facts: bool = False) -> Messages:
    roots = [root_of(call, position) for position in positions]
    said = {root: Facts(str(root)) for root in roots} if facts else {}
    return Messages(roots, list(positions), [f"{call}.{position}" for position in positions], said)


def test_an_empty_batcher_waits_for_ever_and_wants_a_full_batch() -> None:
    batcher = Batcher(Batch(max_size=3, max_wait_s=1.0))
    assert batcher.wait_s(0.0) is None
    assert (len(batcher), batcher.room) == (0, 3)


def test_a_batch_is_due_when_full_or_when_its_oldest_message_has_waited() -> None:
    batcher = Batcher(Batch(max_size=3, max_wait_s=1.0))
    batcher.add(of_call(1, 0), 10.0)
    batcher.add(of_call(1, 1), 10.5)
    assert batcher.wait_s(10.5) == 0.5
    assert batcher.wait_s(11.0) == 0.0
    batcher.add(of_call(1, 2), 10.6)
    assert batcher.wait_s(10.6) == 0.0
    assert batcher.cut(0.0).values == ["1.0", "1.1", "1.2"]
    assert batcher.wait_s(10.6) is None


def test_what_was_cut_does_not_age_what_comes_after_it() -> None:
    batcher = Batcher(Batch(max_size=3, max_wait_s=1.0))
    batcher.add(of_call(1, 0, 1, 2), 0.0)
    batcher.cut(0.0)
    batcher.add(of_call(1, 3), 50.0)
    assert batcher.wait_s(50.0) == 1.0


def test_a_batch_whose_inputs_have_all_ended_waits_only_a_moment() -> None:
    batcher = Batcher(Batch(max_size=9, max_wait_s=60.0))
    batcher.add(of_call(1, 0), 0.0)
    batcher.add(of_call(2, 0), 0.0)
    batcher.end(1)
    assert batcher.wait_s(0.0) == 60.0
    batcher.end(2)
    assert batcher.wait_s(0.0) == 0.01
    batcher.forget(2)
    assert batcher.wait_s(0.0) == 60.0


def due_at(*deadlines: float | None) -> Messages:
    roots = [root_of(1, position) for position in range(len(deadlines))]
    facts = {root: Facts(deadline=deadline) for root, deadline in zip(roots, deadlines, strict=True) if deadline}
    return Messages(roots, list(range(len(deadlines))), list(range(len(deadlines))), facts)


def second_each() -> CallTime:
    """Calls that take a second for each message, and one more."""
    time = CallTime()
    for size in (1, 2, 4):
        time.note(size, 1.0 + size)
    return time


def test_a_batch_is_no_larger_than_half_of_the_time_that_a_member_has_left() -> None:
    batcher = Batcher(Batch(max_size=100), second_each())
    batcher.add(due_at(None, None, 120.0, *[None] * 50), 100.0)
    assert len(batcher.cut(100.0)) == 9, "a call with 9 takes 10 of 20 seconds"
    assert len(batcher.cut(100.0)) == 44, "the others have time"


def test_a_message_that_needs_all_its_time_goes_at_once_with_those_before_it() -> None:
    batcher = Batcher(Batch(max_size=100), second_each())
    batcher.add(due_at(None, 103.0, None), 100.0)
    assert len(batcher.cut(100.0)) == 2


def test_a_deadline_that_cannot_be_kept_holds_up_nobody() -> None:
    batcher = Batcher(Batch(max_size=100, max_wait_s=5.0), second_each())
    batcher.add(due_at(101.0, *[None] * 30), 100.0)
    assert batcher.wait_s(100.0) == 5.0
    assert len(batcher.cut(100.0)) == 31


def test_a_batch_does_not_wait_longer_than_its_earliest_deadline_allows() -> None:
    batcher = Batcher(Batch(max_size=100, max_wait_s=60.0), second_each())
    batcher.add(due_at(None, 120.0), 100.0)
    assert batcher.wait_s(100.0) == pytest.approx(14.0), "a call with 2 takes 3 seconds, and is to take half the time"
    assert batcher.wait_s(115.0) == 0.0
    assert Batcher(Batch(max_size=100, max_wait_s=60.0)).wait_s(0.0) is None


def test_messages_that_are_late_are_taken_out_and_the_others_age_as_before() -> None:
    batcher = Batcher(Batch(max_size=9, max_wait_s=10.0))
    batcher.add(due_at(5.0, None, 1.0), 0.0)
    batcher.add(of_call(2, 7), 3.0)
    assert batcher.take_out(lambda deadline: deadline < 1.0) is None
    late = batcher.take_out(lambda deadline: deadline < 6.0)
    assert late is not None
    assert (late.values, [late.facts[root].deadline for root in late.roots]) == ([0, 2], [5.0, 1.0])
    assert batcher.ids == [1, 7]
    assert batcher.wait_s(4.0) == 6.0
    batcher.cut(0.0)
    assert batcher.take_out(lambda _: True) is None


def test_a_fixed_batch_has_no_deadline() -> None:
    batcher = Batcher(Batch(max_size=100, max_wait_s=60.0))
    batcher.add(due_at(101.0, *[102.0] * 30), 100.0)
    assert batcher.wait_s(100.0) == 60.0
    assert len(batcher.cut(100.0)) == 31


def with_facts(messages: Messages) -> list[tuple[object, bool]]:
    return [(value, root in messages.facts) for value, root in zip(messages.values, messages.roots, strict=True)]


@given(seed=st.integers(0, 2**32), size=st.integers(1, 7))
def test_no_message_is_lost_reordered_or_parted_from_its_facts(seed: int, size: int) -> None:
    rng, batcher = random.Random(seed), Batcher(Batch(max_size=size))
    put, cut, position = [], [], 0
    for now in range(30):
        if rng.random() < 0.6:
            count = rng.randint(1, 5)
            messages = of_call(1, *range(position, position + count), facts=rng.random() < 0.5)
            position += count
            put += with_facts(messages)
            batcher.add(messages, float(now))
        elif len(batcher):
            batch = batcher.cut(0.0)
            assert 1 <= len(batch) <= size
            cut += with_facts(batch)
        assert batcher.room == max(0, size - len(batcher))
    while len(batcher):
        batch = batcher.cut(0.0)
        cut += with_facts(batch)
    assert cut == put
