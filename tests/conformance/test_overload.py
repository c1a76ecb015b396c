"""More asks than there is capacity: who is refused at once, what is not begun, and that the run goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import penguiray as pr

PATIENCE_S = 60.0
HIGH, LOW = {"priority": "high"}, {"priority": "low"}


async def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < until:
        await asyncio.sleep(0.005)
    assert holds()


class Gate:
    """Gives its messages once a file is there."""

    def __init__(self, go: Path) -> None:
        self.go = go

    async def __call__(self, x: int) -> int:
        while not self.go.exists():
            await asyncio.sleep(0.005)
        return x


gate = pr.actor(replicas=1)(Gate)


@pytest.mark.usefixtures("engine")
def test_too_many_asks_are_refused_at_once_the_urgent_ones_last(tmp_path: Path) -> None:
    go = tmp_path / "go"

    async def main() -> None:
        async with pr.Flow(gate(go), options=pr.FlowOptions(max_asks=10)).start() as run:

            async def full(count: int) -> None:
                await eventually(lambda: run.status().inputs_live == count)

            asks = [asyncio.create_task(run.aask(x, headers=LOW)) for x in range(5)]
            await full(5)
            with pytest.raises(pr.Overloaded, match="5 asks are under way, so no more of priority 'low'"):
                await run.aask(0, headers=LOW)
            asks += [asyncio.create_task(run.aask(x)) for x in range(5, 9)]
            await full(9)
            with pytest.raises(pr.Overloaded) as caught:
                await run.aask_all(0)
            assert (caught.value.run, caught.value.asks) == ("flow", 9)
            with pytest.raises(pr.Overloaded):
                [x async for x in run.astream(0)]
            asks += [asyncio.create_task(run.aask(9, headers=HIGH))]
            await full(10)
            with pytest.raises(pr.Overloaded, match="raise max_asks=10 of the flow's options"):
                await run.aask(0, headers=HIGH)
            go.touch()
            assert await asyncio.gather(*asks) == list(range(10))
            assert await run.aask(10, headers=LOW) == 10
            assert run.status().inputs_live == 0

    asyncio.run(main())


@pr.node
def same(x: int) -> int:
    return x


@pytest.mark.usefixtures("engine")
def test_asks_that_have_ended_in_any_way_make_room(tmp_path: Path) -> None:
    bad: Any = "no number"
    with pr.Flow(gate(tmp_path / "never") >> same, options=pr.FlowOptions(max_asks=1)).start() as run:
        for _ in range(2):
            with pytest.raises(pr.DeadlineExceeded):
                run.ask(1, timeout_s=0.05)
            with pytest.raises(ValueError, match="valid integer"):
                run.ask(bad)
        run.stop()


@pytest.mark.usefixtures("engine")
def test_maps_and_what_is_sent_wait_for_room_and_are_never_refused() -> None:
    with pr.Flow(same, options=pr.FlowOptions(max_asks=1)).start() as run:
        for x in range(100):
            run.send(x)
        assert sorted(run.map(range(100))) == list(range(100))
        assert [run.ask(x) for x in range(3)] == [0, 1, 2]
        assert sorted(run.results(until_idle=True)) == list(range(100))


class Slow:
    """Takes as long as it is told, one message after the other, and writes down which ones it has begun."""

    def __init__(self, begun: Path) -> None:
        self.begun = begun

    async def __call__(self, seconds: float, ctx: pr.Context) -> float:
        with self.begun.open("a") as file:
            file.write(f"{ctx.headers.get('who', '-')}\n")
        await asyncio.sleep(seconds)
        return seconds


slow = pr.actor(replicas=1, concurrency=1)(Slow)


@pytest.mark.usefixtures("engine")
def test_an_ask_is_refused_where_others_that_found_as_much_took_longer_than_it_has(tmp_path: Path) -> None:
    async def main() -> None:
        async with pr.Flow(slow(tmp_path / "begun")).start() as run:
            crowd = [run.aask(0.1, timeout_s=0.4) for _ in range(30)]
            outcomes = await asyncio.gather(*crowd, return_exceptions=True)
            assert {type(one) for one in outcomes if one != 0.1} == {pr.DeadlineExceeded}
            before = [asyncio.create_task(run.aask(0.1)) for _ in range(12)]
            await eventually(lambda: run.status().inputs_live == 12)
            with pytest.raises(pr.Overloaded, match="asks that found as much under way took") as caught:
                await run.aask(0.1, timeout_s=0.4)
            assert caught.value.expected_s >= 0.36
            assert await run.aask(0.1, timeout_s=PATIENCE_S) == 0.1, "with enough time it is admitted"
            assert await asyncio.gather(*before) == [0.1] * 12
            assert await run.aask(0.0, timeout_s=PATIENCE_S) == 0.0

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_a_call_that_could_not_end_in_time_is_not_begun_while_others_wait(tmp_path: Path) -> None:
    async def main() -> None:
        async with pr.Flow(slow(tmp_path / "begun")).start() as run:
            for _ in range(10):
                await run.aask(0.2, timeout_s=PATIENCE_S)
            first = asyncio.create_task(run.aask(0.5, headers={"who": "first"}))
            await eventually(lambda: "first" in (tmp_path / "begun").read_text())
            hopeless = asyncio.create_task(run.aask(0.2, timeout_s=0.6, headers={"who": "hopeless"}))
            others = [asyncio.create_task(run.aask(0.0, headers={"who": "other", "priority": "low"})) for _ in range(2)]
            with pytest.raises(pr.DeadlineExceeded):
                await hopeless
            assert [await first, *[await one for one in others]] == [0.5, 0.0, 0.0]

    asyncio.run(main())
    assert (tmp_path / "begun").read_text().split() == ["-"] * 10 + ["first", "other", "other"]
