"""What a node with `batch="auto"` is given, and how long a message waits for others."""

from __future__ import annotations

import asyncio

import pytest

from penguiray.runtime.auto_batch import AutoBatch


class Node:
    """Says whether calls are under way."""

    is_busy = False

    def __call__(self) -> bool:
        return self.is_busy


def auto(**options: float) -> AutoBatch:
    return AutoBatch(is_busy=lambda: False, **options)  # type: ignore[arg-type]  # the numbers of its options


def grown(policy: AutoBatch, *, call_s: float = 0.1, message_s: float = 0.001, calls: int = 60) -> AutoBatch:
    for _ in range(calls):
        policy.note(policy.max_size, call_s + message_s * policy.max_size)
    return policy


def test_a_node_begins_with_single_messages_and_waits_for_nobody() -> None:
    node = Node()
    policy = AutoBatch(is_busy=node)
    assert (policy.max_size, policy.max_wait_s) == (1, 0.0)
    node.is_busy = True
    assert policy.max_wait_s == 0.0, "nothing is known of its calls"


def test_a_message_waits_a_tenth_of_a_call_while_others_are_under_way_and_never_for_an_idle_node() -> None:
    node = Node()
    policy = grown(AutoBatch(is_busy=node))
    assert policy.max_wait_s == 0.0
    node.is_busy = True
    assert policy.max_wait_s == pytest.approx(0.1 * (0.1 + 0.001 * policy.max_size), rel=0.05)


def test_a_call_takes_half_of_the_nodes_time_limit_and_a_second_at_most() -> None:
    assert 0.8 * 140 <= grown(auto(timeout_s=0.5)).max_size <= 150
    assert 0.8 * 800 <= grown(auto()).max_size <= 900


def test_a_call_that_ran_out_of_memory_is_said_to_have_been_too_large_if_it_could_be_smaller() -> None:
    policy = grown(auto())
    size = policy.max_size
    assert policy.note_failed(size, 0.1, MemoryError())
    assert policy.max_size == size // 2
    assert not policy.note_failed(1, 0.1, MemoryError())


def test_other_failures_say_nothing_about_the_size() -> None:
    policy = grown(auto())
    size = policy.max_size
    for _ in range(10):
        assert not policy.note_failed(size, 60.0, ValueError("no"))
    assert not policy.note_failed(size, 0.1, asyncio.CancelledError()), "it was ended early, not for its time"
    assert policy.max_size == size


def test_a_call_that_was_ended_for_its_time_halves_the_size_and_is_not_made_again_smaller() -> None:
    policy = grown(auto(timeout_s=1.0))
    size = policy.max_size
    assert not policy.note_failed(size, 1.0, asyncio.CancelledError())
    assert policy.max_size == size // 2
