"""Permits of one replica: in turn, several at a time, none for a caller whose time is over before its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

import pytest

import penguiray as pr
from penguiray.clock import SystemClock
from penguiray.runtime.permits import Permits
from penguiray.runtime.rate import Grant


class Scripted:
    """Gives the grants of a script, one for each question, and notes the questions; then it gives nothing more."""

    def __init__(self, *grants: Grant) -> None:
        self.grants = list(grants)
        self.questions: list[tuple[int, int]] = []

    async def ask(self, begun: int, want: int) -> Grant:
        self.questions.append((begun, want))
        await asyncio.sleep(0)
        return self.grants.pop(0) if self.grants else Grant(0, (60.0,) * want)


def with_permits(keeper: Scripted, test: Callable[[Permits], Awaitable[None]]) -> None:
    async def main() -> None:
        permits = Permits("search", pr.Rate(2, per_s=60), keeper.ask, SystemClock(), Random(1))
        pump = asyncio.create_task(permits.run())
        try:
            async with asyncio.timeout(30):
                await test(permits)
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    asyncio.run(main())


def test_calls_that_wait_together_are_asked_for_in_one_question_and_get_their_permits_in_turn() -> None:
    keeper, order = Scripted(Grant(2, (0.0,)), Grant(1, ())), list[int]()

    async def test(permits: Permits) -> None:
        async def call(number: int) -> None:
            permit = await permits.take(None)
            order.append(number)
            permit.use()

        await asyncio.gather(*(call(number) for number in range(3)))

    with_permits(keeper, test)
    assert order == [0, 1, 2]
    assert keeper.questions[:2] == [(0, 3), (2, 1)]


def test_what_has_begun_is_said_once_also_when_nothing_more_is_wanted() -> None:
    keeper = Scripted(Grant(1, ()), Grant(0, ()))

    async def test(permits: Permits) -> None:
        permit = await permits.take(None)
        permit.use()
        permit.use()
        await asyncio.to_thread(permit.use)
        while len(keeper.questions) < 2:
            await asyncio.sleep(0.001)

    with_permits(keeper, test)
    assert keeper.questions == [(0, 1), (1, 0)]


def test_a_call_whose_turn_comes_after_its_deadline_fails_at_once_and_the_next_moves_up() -> None:
    keeper = Scripted(Grant(0, (10.0, 50.0)))

    async def test(permits: Permits) -> None:
        now = SystemClock().now()
        first = asyncio.create_task(permits.take(now + 5))
        second = asyncio.create_task(permits.take(now + 30))
        with pytest.raises(pr.DeadlineExceeded, match=r"'search': with rate=2 in 60 s the call cannot begin for") as e:
            await first
        assert (e.value.node, e.value.timeout_s) == ("search", None)
        assert not second.done()
        second.cancel()

    with_permits(keeper, test)


def test_a_permit_whose_call_was_cancelled_is_not_lost() -> None:
    keeper = Scripted(Grant(0, (0.0,)), Grant(1, ()), Grant(0, ()))

    async def test(permits: Permits) -> None:
        waiting = asyncio.create_task(permits.take(None))
        while len(keeper.questions) < 2:
            await asyncio.sleep(0)
        waiting.cancel()
        while len(keeper.questions) < 3:
            await asyncio.sleep(0.001)

    with_permits(keeper, test)
    assert keeper.questions[2] == (1, 0)
