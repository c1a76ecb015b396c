"""Three times more asks than there is capacity, each with 200 ms: what is answered in time stays near the capacity.

Arrivals and service times are drawn; time is virtual. The share is that of the work that could be done at all.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

import penguiray as pr
from penguiray.ingress.waits import Waits
from penguiray.runtime.shedding import Shedding
from penguiray.testing import VirtualClock, virtual_time
from penguiray.testing.virtual import current_clock

SERVICE_S = 0.01
TIMEOUT_S = 0.2
SECONDS = 4.0

Draw = Callable[[], float]


def one_at_a_time(draw: Draw) -> pr.Flow[int, int]:
    @pr.node(concurrency=1)
    async def serves(x: int) -> int:
        await asyncio.sleep(draw())
        return x

    return pr.Flow(serves)


def four_at_a_time(draw: Draw) -> pr.Flow[int, int]:
    @pr.node(concurrency=4)
    async def serves(x: int) -> int:
        await asyncio.sleep(4 * draw())
        return x

    return pr.Flow(serves)


def in_columns(draw: Draw) -> pr.Flow[int, int]:
    @pr.node
    def serves(x: int) -> int:
        clock = current_clock()
        assert clock is not None
        clock.sleep(draw())
        return x

    return pr.Flow(serves)


def in_batches(draw: Draw) -> pr.Flow[int, int]:
    @pr.node(concurrency=1, batch=pr.Batch(max_size=4, max_wait_s=0.005))
    async def serves(xs: list[int]) -> list[int]:
        await asyncio.sleep(4 * draw())
        return xs

    return pr.Flow(serves)


def with_more_behind(draw: Draw) -> pr.Flow[int, int]:
    @pr.node(concurrency=1)
    async def serves(x: int) -> int:
        await asyncio.sleep(draw())
        return x

    @pr.node(concurrency=8)
    async def finishes(x: int) -> int:
        await asyncio.sleep(3 * SERVICE_S)
        return x

    return pr.Flow(serves >> finishes)


def outcomes(flow_of: Callable[[Draw], pr.Flow[int, int]], load: float, *, varies: bool, seed: int) -> Counter[str]:
    """How the asks of some seconds ended, at so many times the capacity."""
    arrivals, services, ended = random.Random(seed), random.Random(seed + 1), Counter[str]()
    flow = flow_of(lambda: services.expovariate(1 / SERVICE_S) if varies else SERVICE_S)

    async def ask(run: pr.Run[int, int], x: int) -> None:
        try:
            await run.aask(x, timeout_s=TIMEOUT_S)
            ended["answered"] += 1
        except pr.Overloaded:
            ended["refused"] += 1
        except pr.DeadlineExceeded:
            ended["expired"] += 1

    async def main(clock: VirtualClock) -> None:
        async with flow.start() as run, asyncio.TaskGroup() as group:
            while clock.now() < SECONDS:
                group.create_task(ask(run, ended.total()))
                await asyncio.sleep(arrivals.expovariate(load / SERVICE_S))

    with virtual_time(seed=seed, patience_s=1.0) as clock:
        clock.run(main(clock))
    return ended


def goodput(ended: Counter[str]) -> float:
    """Share of the capacity that was spent on what was answered in time."""
    return ended["answered"] * SERVICE_S / SECONDS


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("flow_of", [one_at_a_time, four_at_a_time, in_columns, in_batches, with_more_behind])
def test_under_three_times_the_load_goodput_stays_near_capacity(
    flow_of: Callable[[Draw], pr.Flow[int, int]], seed: int
) -> None:
    ended = outcomes(flow_of, 3.0, varies=False, seed=seed)
    assert goodput(ended) >= 0.9, ended
    assert ended["refused"] > ended["expired"], "most of those that cannot be served are told at once"


@pytest.mark.parametrize("flow_of", [one_at_a_time, four_at_a_time, in_columns, with_more_behind])
def test_calls_that_take_now_less_and_now_more_cost_some_of_it(flow_of: Callable[[Draw], pr.Flow[int, int]]) -> None:
    ended = outcomes(flow_of, 3.0, varies=True, seed=1)
    assert goodput(ended) >= 0.8, ended


@pytest.mark.parametrize("flow_of", [four_at_a_time, in_columns, in_batches, with_more_behind])
def test_without_shedding_it_collapses(
    monkeypatch: pytest.MonkeyPatch, flow_of: Callable[[Draw], pr.Flow[int, int]]
) -> None:
    monkeypatch.setattr(Waits, "expected_s", lambda *_: 0.0)
    monkeypatch.setattr(Shedding, "rest_s", lambda *_: 0.0)
    ended = outcomes(flow_of, 3.0, varies=False, seed=1)
    assert goodput(ended) < 0.5, ended


@pytest.mark.parametrize("flow_of", [one_at_a_time, four_at_a_time, in_columns, with_more_behind])
def test_at_a_load_that_can_be_served_nothing_is_refused(flow_of: Callable[[Draw], pr.Flow[int, int]]) -> None:
    ended = outcomes(flow_of, 0.7, varies=False, seed=1)
    assert set(ended) == {"answered"}
