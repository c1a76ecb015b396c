"""An intake can wait until a slot is free without taking it."""

from __future__ import annotations

import asyncio

import pytest

from penguiray.runtime.slots import Slots
from penguiray.testing import VirtualClock


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
