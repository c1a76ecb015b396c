"""A healthy call of ten minutes, in virtual time: it is spoken of and left alone, whatever else is lost meanwhile."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest

import penguiray as pr
from penguiray.link.frame import LinkId
from penguiray.observe.watch import look_every_s
from penguiray.testing import Faults, virtual_time

TEN_MINUTES = 600.0
LOOK_S = look_every_s(30.0)
DUE_S = (30, 60, 120, 240, 480)
LOST_AT_S = 100.0


async def looked_after(engine: Any) -> None:
    """Look at the calls as the engine's own thread does, which has no part in virtual time."""
    while True:
        await asyncio.sleep(LOOK_S)
        engine.look()


@pytest.mark.parametrize("dies", [None, 0, 2], ids=["nobody dies", "one before it dies", "one behind it dies"])
def test_a_call_of_ten_minutes_is_reported_when_it_has_taken_twice_as_long_and_left_alone(
    dies: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "penguiray")
    faults, begun, passed = Faults(kills=0), list[float](), list[int]()

    @pr.node(fuse=False, replicas=2)
    def before(x: int) -> int:
        return x

    @pr.node(fuse=False, replicas=2, concurrency=4)
    async def long(x: int) -> int:
        if x == 0:
            begun.append(clock.now())
            await asyncio.sleep(TEN_MINUTES)
        return x

    @pr.node(fuse=False, replicas=2)
    def after(x: int) -> int:
        passed.append(x)
        return x

    async def main() -> None:
        async with pr.Flow(before >> long >> after, name="ten").start() as run:
            engine: Any = run._engine
            watching = asyncio.create_task(looked_after(engine))
            asked = asyncio.create_task(run.aask(0))
            await asyncio.sleep(LOST_AT_S)
            if dies is not None:
                engine.call_soon(engine._kill, engine._members[LinkId(dies, 1)], "a frame came")
            others = [await run.aask(x) for x in range(1, 50)]
            assert not asked.done()
            assert await asked == 0
            assert others == list(range(1, 50))
            watching.cancel()
            status = run.status()
            assert (status.inputs_done, status.inputs_live, status.dead_letters) == (50, 0, 0)
            generations = {link: member.generation for link, member in engine._members.items()}
            assert {link for link, number in generations.items() if number} == (
                set() if dies is None else {LinkId(dies, 1)}
            )
        assert begun[0] + TEN_MINUTES <= clock.now() < begun[0] + TEN_MINUTES + 1.0

    with virtual_time(seed=5, faults=faults) as clock:
        clock.run(main())
    assert len(begun) == 1, "it ran once"
    assert sorted(passed) == list(range(50))
    said = [re.search(r"node 'long', replica \d, has been on .* for (\d+) s; it may go on", m) for m in caplog.messages]
    ages = [int(found[1]) for found in said if found]
    assert len(ages) == len(DUE_S)
    assert all(due <= age <= due + LOOK_S for due, age in zip(DUE_S, ages, strict=True)), ages
    assert len(faults.deaths) == (dies is not None)
    assert not faults.silences
