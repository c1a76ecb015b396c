"""Joins that cannot be complete: late, alone, cancelled, or without a count. None waits for nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import penguiray as pr


@pr.node
def enter(x: int) -> int:
    return x


@pr.node
def double(x: int) -> int:
    return 2 * x


@pr.node
def negate(x: int) -> int:
    return -x


@pr.node
def positive(x: int) -> int | None:
    return x if x > 0 else None


@pr.node
def copies(x: int) -> Iterator[int]:
    yield from [x] * x


def last_digit(x: int) -> int:
    return abs(x) % 10


def cause(error: Any) -> Any:
    assert isinstance(error, pr.NodeError)
    return error.__cause__


@pytest.mark.usefixtures("engine")
def test_without_a_count_a_join_gives_all_of_an_input_once_nothing_more_can_come() -> None:
    flow = pr.Flow(copies >> double >> pr.join())
    with flow.start() as run:
        assert [run.ask_all(x) for x in (0, 1, 7)] == [[], [[2]], [[14] * 7]]
        assert sorted(run.collect([3, 40, 5])) == [[6] * 3, [10] * 5, [80] * 40]


@pytest.mark.usefixtures("engine")
def test_a_group_that_nothing_can_complete_fails_at_once_and_says_what_came() -> None:
    flow = pr.Flow(pr.fan(double, positive) >> pr.join(2, name="both"))
    with flow.start() as run:
        assert sorted(run.ask(3)) == [3, 6]
        with pytest.raises(pr.NodeError) as caught:
            run.ask(-3)
        error = cause(caught.value)
        assert caught.value.node == "both"
        assert isinstance(error, pr.JoinIncomplete)
        assert (error.found, error.wanted) == (1, 2)
        assert "1 of 2 messages came, and no more can come: [-6] from 'double', nothing from 'positive'" in str(
            caught.value
        )
        assert "incomplete='partial'" in str(caught.value)


def test_an_incomplete_join_says_that_more_nodes_lead_to_it_than_it_waits_for() -> None:
    flow = pr.Flow(pr.fan(double, negate, positive) >> pr.join(2))
    with (
        flow.start(engine="local") as run,
        pytest.raises(pr.NodeError, match=r"3 nodes lead to it, so perhaps pr.join"),
    ):
        run.ask_all(3)


@pytest.mark.usefixtures("engine")
def test_partial_gives_what_came() -> None:
    flow = pr.Flow(pr.fan(double, positive) >> pr.join(2, incomplete="partial"))
    with flow.start() as run:
        assert run.ask(-3) == [-6]
        assert sorted(run.ask(3)) == [3, 6]


@pytest.mark.usefixtures("engine")
def test_a_join_gives_a_list_each_time_that_it_has_enough() -> None:
    flow = pr.Flow(copies >> pr.join(3, incomplete="partial"))
    assert sorted(flow.collect([7])) == [[7], [7] * 3, [7] * 3]


@pytest.mark.usefixtures("engine")
def test_keys_that_stay_alone_end_with_the_call_and_two_calls_do_not_meet() -> None:
    flow = pr.Flow(enter >> pr.join(2, key=last_digit, name="pair"))
    with flow.start() as run:
        found = list(run.map([1, 2, 11], on_error="yield"))
        assert [1, 11] in [sorted(group) for group in found if isinstance(group, list)]
        (error,) = [result for result in found if isinstance(result, Exception)]
        assert "1 of 2 messages came for key 2, and no more can come" in str(error)
        with pytest.raises(pr.NodeError, match="for key 2"):
            run.ask(2)


@pytest.mark.usefixtures("engine")
def test_a_group_that_is_not_complete_in_time_fails_and_what_comes_later_is_dropped(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    @pr.node
    async def late(x: int) -> int:
        while not gate.exists():
            await asyncio.sleep(0.005)
        return x

    flow = pr.Flow(pr.fan(double, late) >> pr.join(2, timeout_s=0.02))
    with flow.start() as run:
        outcome: list[Any] = []
        asking = threading.Thread(target=lambda: outcome.extend(run.map([5], on_error="yield")))
        asking.start()
        until = time.monotonic() + 20.0
        while run.status().dead_letters == 0 and time.monotonic() < until:
            time.sleep(0.01)
        gate.touch()
        asking.join(20.0)
        (error,) = outcome
        assert isinstance(cause(error), pr.JoinIncomplete)
        assert "1 of 2 messages came within 0.02 s" in str(error)
        assert run.status().inputs_live == 0
        assert {node.name: node.given for node in run.status().nodes}["join"] == 0


@pytest.mark.usefixtures("engine")
def test_a_key_that_raises_or_cannot_be_a_key_fails_that_message_only() -> None:
    def key(x: int) -> Any:
        if x == 1:
            raise KeyError(x)
        return [] if x == 2 else 0

    with pr.Flow(enter >> pr.join(2, key=key)).start() as run:
        found = list(run.map([1, 2, 3, 4], on_error="yield"))
        assert [3, 4] in [sorted(group) for group in found if isinstance(group, list)]
        assert {type(cause(result)) for result in found if isinstance(result, Exception)} == {KeyError, TypeError}


@pytest.mark.usefixtures("engine")
def test_a_cancelled_input_leaves_its_group() -> None:
    @pr.node
    async def stay(x: int) -> int:
        await asyncio.sleep(60 if x == 1 else 0)
        return x

    with pr.Flow(pr.fan(double, stay) >> pr.join(2)).start() as run:
        with pytest.raises(pr.DeadlineExceeded):
            run.ask(1, timeout_s=0.3)
        assert sorted(run.ask(2)) == [2, 4]
