"""A batch is cut when it is full, old enough, or when nothing more will come."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from penguiray.graph.policies import Batch
from penguiray.link.ids import root_of
from penguiray.link.message import Facts, Messages
from penguiray.runtime.batcher import Batcher


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
    assert batcher.cut().values == ["1.0", "1.1", "1.2"]
    assert batcher.wait_s(10.6) is None


def test_what_was_cut_does_not_age_what_comes_after_it() -> None:
    batcher = Batcher(Batch(max_size=3, max_wait_s=1.0))
    batcher.add(of_call(1, 0, 1, 2), 0.0)
    batcher.cut()
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
            batch = batcher.cut()
            assert 1 <= len(batch) <= size
            cut += with_facts(batch)
        assert batcher.room == max(0, size - len(batcher))
    while len(batcher):
        batch = batcher.cut()
        cut += with_facts(batch)
    assert cut == put
