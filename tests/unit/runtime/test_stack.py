"""The policies round a call, each in its place."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import penguiray as pr
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.executor import InlineExecutor, StuckError
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.layers import Call, GaveUp
from penguiray.runtime.slots import Slots
from penguiray.runtime.stack import build_stack


class HandClock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


@pr.node
def target(x: int) -> int:
    return x


def stack(
    inner: Call, clock: HandClock, slots: Slots | None = None, inbox: Inbox | None = None, **options: Any
) -> tuple[Call, BoundNode]:
    node = BoundNode(target.options(**options).spec, destinations={}, cancelled=Cancelled(), epoch=1, clock=clock)
    return (
        build_stack(
            node, inner, slots or Slots(1), inbox or Inbox(), InlineExecutor(), clock, random.Random(1), Cancelled()
        ),
        node,
    )


def item(deadline: float | None = None) -> Item:
    return Item(1, 2, 3, deadline=deadline)


def script(*steps: Exception | int) -> tuple[Call, list[int]]:
    """A call that raises or gives the steps one after the other, and the attempts that it saw."""
    rest, attempts = list(steps), list[int]()

    async def call(_item: Item, attempt: int) -> int:
        attempts.append(attempt)
        step = rest.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    return call, attempts


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def test_nothing_is_begun_for_a_caller_whose_time_is_over() -> None:
    async def test() -> None:
        inner, attempts = script(1)
        call, _ = stack(inner, HandClock(), retry=pr.Retry())
        with pytest.raises(pr.DeadlineExceeded) as caught:
            await call(item(deadline=99.0), 1)
        assert (caught.value.node, caught.value.timeout_s, attempts) == ("target", None, [])

    run(test)


def test_attempts_are_counted_and_the_last_error_is_told() -> None:
    async def test() -> None:
        policy = pr.Retry(max_attempts=3, initial_s=0)
        inner, attempts = script(ValueError(1), ValueError(2), 7)
        call, node = stack(inner, HandClock(), retry=policy)
        assert await call(item(), 1) == 7
        assert (attempts, node.count.retried) == ([1, 2, 3], 2)
        inner, attempts = script(ValueError(1), ValueError(2), ValueError(3))
        call, _ = stack(inner, HandClock(), retry=policy)
        with pytest.raises(GaveUp) as caught:
            await call(item(), 1)
        assert (caught.value.attempt, caught.value.error.args) == (3, (3,))

    run(test)


def test_an_attempt_is_not_made_that_would_begin_after_the_deadline() -> None:
    async def test() -> None:
        inner, attempts = script(ValueError(1), 7)
        call, _ = stack(inner, HandClock(), retry=pr.Retry(initial_s=1_000, max_s=1_000))
        with pytest.raises(GaveUp) as caught:
            await call(item(deadline=100.5), 1)
        assert (caught.value.attempt, attempts) == (1, [1])

    run(test)


def test_a_stuck_thread_is_no_failure_to_try_again() -> None:
    async def test() -> None:
        inner, attempts = script(StuckError("lost"), 7)
        call, _ = stack(inner, HandClock(), retry=pr.Retry(initial_s=0))
        with pytest.raises(StuckError):
            await call(item(), 1)
        assert attempts == [1]

    run(test)


def test_a_message_that_waits_for_its_next_attempt_holds_no_slot() -> None:
    async def test() -> None:
        slots, failed, again = Slots(1), asyncio.Event(), asyncio.Event()

        async def inner(one: Item, attempt: int) -> int:
            assert slots.free == 0
            if one.value == "fails" and attempt == 1:
                failed.set()
                raise ValueError
            again.set()
            return attempt

        policy = pr.Retry(initial_s=0.05, max_s=0.05)
        call, _ = stack(inner, HandClock(), slots, retry=policy)
        first = asyncio.ensure_future(call(Item(1, 1, "fails"), 1))
        await failed.wait()
        await asyncio.sleep(0)
        assert slots.free == 1
        assert await call(Item(2, 2, "fine"), 1) == 1
        assert await first == 2
        assert slots.free == 1

    run(test)


def test_a_call_that_takes_too_long_says_whose_limit_it_was() -> None:
    async def never(_item: Item, _attempt: int) -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        call, _ = stack(never, HandClock(), timeout_s=0.01)
        with pytest.raises(pr.DeadlineExceeded, match=r"longer than 0\.01 s") as caught:
            await call(item(), 1)
        assert caught.value.timeout_s == 0.01
        call, _ = stack(never, HandClock(), timeout_s=60.0)
        with pytest.raises(pr.DeadlineExceeded, match="deadline passed in the call") as caught:
            await call(item(deadline=100.01), 1)
        assert caught.value.timeout_s is None

    run(test)


def test_a_time_out_of_the_users_own_is_the_users_own() -> None:
    async def test() -> None:
        mine = TimeoutError("mine")
        inner, _ = script(mine)
        call, _ = stack(inner, HandClock(), timeout_s=60.0)
        with pytest.raises(TimeoutError) as caught:
            await call(item(), 1)
        assert caught.value is mine

    run(test)


def test_waiting_for_a_slot_is_not_part_of_the_calls_time() -> None:
    async def test() -> None:
        slots = Slots(1)
        inner, attempts = script(7)
        call, _ = stack(inner, HandClock(), slots, timeout_s=0.01)
        await slots.take()
        waiting = asyncio.ensure_future(call(item(), 1))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        slots.give_back()
        assert await waiting == 7
        assert attempts == [1]

    run(test)
