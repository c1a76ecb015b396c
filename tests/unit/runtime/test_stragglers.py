"""What second calls are good for, and what they cost, in flows and in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import penguiray as pr
from penguiray.testing import Pause, VirtualClock, script, virtual_time

INPUTS = 3_000
EACH_S = 0.02
"""An input comes so often, so that some five calls are under way at a time."""


class Slow:
    """Takes some 0.1 s, and now and then 20 times as long."""

    def __init__(self, clock: VirtualClock, share: float, *, all_from_s: float = float("inf")) -> None:
        self.clock = clock
        self.share = share
        self.all_from_s = all_from_s
        self.rng = random.Random(3)
        self.calls = 0
        self.begun = dict[int, float]()
        self.ended = dict[int, float]()

    async def work(self, x: int) -> int:
        self.begun.setdefault(x, self.clock.now())
        self.calls += 1
        usual_s = self.rng.uniform(0.08, 0.12)
        is_slow = self.rng.random() < self.share or self.clock.now() >= self.all_from_s
        await asyncio.sleep(20 * usual_s if is_slow else usual_s)
        return x

    def note(self, x: int) -> int:
        self.ended[x] = self.clock.now()
        return x

    def run(self, **options: Any) -> pr.NodeStatus:
        flow = pr.Flow(pr.node(concurrency=64, **options)(self.work) >> pr.node(self.note))
        with flow.start() as run:
            inputs = script(*(one for x in range(INPUTS) for one in (x, Pause(EACH_S))))
            assert sorted(run.map(inputs)) == list(range(INPUTS))
            return run.status().nodes[0]

    def times_median(self, share: float) -> float:
        """How many times as long as the median this share of the messages takes at most."""
        times = sorted(self.ended[x] - self.begun[x] for x in range(INPUTS))
        return times[int(share * INPUTS)] / times[INPUTS // 2]


def test_with_one_call_in_a_hundred_slow_the_99th_percentile_is_thrice_the_median_for_a_few_more_calls(
    virtual_clock: VirtualClock,
) -> None:
    alone, hedged = Slow(virtual_clock, 0.01), Slow(virtual_clock, 0.01)
    alone.run()
    status = hedged.run(idempotent=True)
    assert alone.times_median(0.995) > 10
    assert hedged.times_median(0.99) < 3
    assert hedged.times_median(0.995) < 3
    assert 0 < status.hedged == hedged.calls - INPUTS < 0.02 * INPUTS
    assert status.given == INPUTS


def test_when_all_calls_become_slow_there_are_hardly_any_second_calls(virtual_clock: VirtualClock) -> None:
    slow = Slow(virtual_clock, 0.0, all_from_s=INPUTS * EACH_S / 2)
    status = slow.run(idempotent=True)
    assert status.hedged == slow.calls - INPUTS <= 10


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_second_calls_are_one_in_twenty_at_most_however_many_calls_are_slow(
    virtual_clock: VirtualClock, share: float
) -> None:
    slow = Slow(virtual_clock, share)
    slow.run(idempotent=True)
    assert INPUTS < slow.calls <= 1.05 * INPUTS + 5


class Service:
    """Works on 100 calls at a time, a second each, one in a hundred 20 times as long; others wait."""

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(100)
        self.rng = random.Random(5)

    async def __call__(self, x: int) -> int:
        async with self.places:
            await asyncio.sleep(self.rng.uniform(0.8, 1.2) * (20 if self.rng.random() < 0.01 else 1))
        return x


def quiet_then_busy() -> Iterator[Any]:
    """Twenty inputs a second for a while, and then as many as are taken."""
    yield from (one for x in range(1_200) for one in (x, Pause(0.05)))
    yield from range(40_000)


def test_a_node_that_finds_its_concurrency_finds_it_also_after_second_calls_in_quiet_times() -> None:
    with virtual_time(seed=1) as clock:
        with pr.Flow(pr.actor(concurrency="auto", idempotent=True)(Service)()).start() as run:
            results = run.map(script(*quiet_then_busy()))
            while clock.now() < 200:
                next(results)
            (status,) = run.status().nodes
        assert status.hedged > 0
        assert 80 <= status.places <= 120


def test_second_calls_may_be_had_or_left_by_an_update(virtual_clock: VirtualClock) -> None:
    def version(**options: Any) -> tuple[Callable[[], int], pr.Node[int, int]]:
        calls = [0]

        async def work(x: int) -> int:
            calls[0] += 1
            await asyncio.sleep(20 if x and calls[0] == 41 else 1)
            return x

        return lambda: calls[0], pr.node(name="work", **options)(work)

    first_calls, first = version()
    second_calls, second = version(idempotent=True)
    with pr.Flow(first).start() as run:
        run.collect([0] * 40)
        run.ask(1)
        run.update(first, second)
        run.collect([0] * 40)
        run.ask(1)
        assert (first_calls(), second_calls(), run.status().nodes[0].hedged) == (41, 42, 1)
