"""Slots are given in turn, and their number may change while some are held and others waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from penguiray.clock import SystemClock
from penguiray.link.report import NodeCount
from penguiray.runtime.slots import AutoSlots, Slots
from penguiray.testing import VirtualClock


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(main())


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_who_waits_gets_a_slot_in_turn_and_nobody_passes() -> None:
    async def test() -> None:
        slots, order = Slots(1), list[int]()
        await slots.take()

        async def waiter(number: int) -> None:
            await slots.take()
            order.append(number)
            slots.give_back()

        tasks = [asyncio.create_task(waiter(number)) for number in range(3)]
        await turns(2)
        slots.give_back()
        assert slots.free == 0
        await asyncio.gather(*tasks)
        assert order == [0, 1, 2]
        assert slots.free == 1

    run(test)


def test_one_that_is_cancelled_while_it_waits_or_in_its_turn_leaves_its_slot_to_the_next() -> None:
    async def test() -> None:
        slots = Slots(1)
        await slots.take()
        tasks = [asyncio.create_task(slots.take()) for _ in range(3)]
        await turns(2)
        tasks[0].cancel()
        await turns(2)
        slots.give_back()
        tasks[1].cancel()
        await tasks[2]
        assert (tasks[0].cancelled(), tasks[1].cancelled(), slots.taken) == (True, True, 1)

    run(test)


def test_more_slots_are_handed_out_at_once_and_fewer_take_none_away() -> None:
    async def test() -> None:
        slots = Slots(1)
        await slots.take()
        tasks = [asyncio.create_task(slots.take()) for _ in range(2)]
        await turns(2)
        slots.resize(3)
        await asyncio.gather(*tasks)
        assert (slots.taken, slots.free) == (3, 0)
        slots.resize(1)
        assert (slots.taken, slots.free) == (3, -2)
        waits = asyncio.create_task(slots.take())
        await turns(2)
        slots.give_back()
        slots.give_back()
        await turns(2)
        assert not waits.done()
        slots.give_back()
        await waits
        assert slots.taken == 1

    run(test)


def test_more_slots_wake_who_waits_for_a_change() -> None:
    async def test() -> None:
        slots = Slots(1)
        await slots.take()
        waits = asyncio.create_task(slots.changed())
        await turns(2)
        slots.resize(2)
        await waits

    run(test)


class HandClock(SystemClock):
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


def test_slots_that_follow_their_calls_count_their_places_over_time_and_leave_out_what_says_nothing() -> None:
    count, clock = NodeCount(), HandClock()
    slots = AutoSlots(32, count, clock)
    for _ in range(200):
        begun_with = [slots.begin() for _ in range(32)]
        clock.time += 1.0
        for number in begun_with:
            slots.end(1.0, number, None)
    assert (slots.size, count.places, count.place_s, count.watched_s) == (32, 32, 32 * 200.0, 200.0)
    for _ in range(200):
        begun_with = [slots.begin() for _ in range(slots.size)]
        clock.time += 1.0
        for number in begun_with:
            slots.end(1.0, number, "done")
    assert slots.size == count.places > 1_000
    assert count.watched_s == 400
    assert 32 < count.place_s / count.watched_s < slots.size


def test_a_block_ends_once_a_slot_is_given_back_and_the_next_one_begins_anew(virtual_clock: VirtualClock) -> None:
    async def main() -> list[float]:
        slots, ended = Slots(2), []
        for _ in range(2):
            await slots.take()
        asyncio.get_running_loop().call_later(3.0, slots.give_back)
        asyncio.get_running_loop().call_later(3.0, slots.give_back)
        with pytest.raises(TimeoutError):
            async with slots.until_free():
                await asyncio.Event().wait()
        ended.append(virtual_clock.now())
        await slots.one_free()
        for _ in range(2):
            await slots.take()
        async with slots.until_free():
            await asyncio.sleep(1.0)
        slots.give_back()  # nobody waits for it
        return [*ended, virtual_clock.now()]

    assert virtual_clock.run(main()) == [3.0, 4.0]


def test_a_block_that_is_cancelled_is_cancelled(virtual_clock: VirtualClock) -> None:
    async def waits(slots: Slots) -> None:
        async with slots.until_free():
            await asyncio.Event().wait()

    async def main() -> bool:
        task = asyncio.ensure_future(waits(Slots(1)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert virtual_clock.run(main())
