"""A node that finds its concurrency, in a flow and in virtual time."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import penguiray as pr
from penguiray.testing import virtual_time


class Service:
    """Works on so many calls at a time, a second each; others wait."""

    def __init__(self, places: int) -> None:
        self.places = asyncio.Semaphore(places)
        self.here = self.most = 0

    async def __call__(self, x: int) -> int:
        self.here += 1
        self.most = max(self.most, self.here)
        try:
            async with self.places:
                await asyncio.sleep(1.0)
        finally:
            self.here -= 1
        return self.most


@pytest.mark.parametrize("places", [20, 200])
def test_it_settles_at_what_the_service_works_on_and_inputs_are_read_far_enough_ahead(places: int) -> None:
    with virtual_time(seed=1) as clock:
        node = pr.actor(concurrency="auto")(Service)(places)
        with pr.Flow(node).start() as run:
            results = run.map(itertools.count())
            while clock.now() < 100:
                next(results)
            (status,) = run.status().nodes
            assert 0.8 * places <= status.places <= 1.2 * places
            assert status.taken >= 0.8 * places * 100


def test_calls_that_wait_for_the_nodes_rate_are_not_taken_for_slow_ones_nor_for_use_of_the_limit() -> None:
    with virtual_time(seed=1):
        node = pr.actor(concurrency="auto", rate=pr.Rate(2, per_s=1))(Service)(1_000)
        with pr.Flow(node).start() as run:
            assert max(run.map(range(200))) <= 4
            (status,) = run.status().nodes
            assert status.places == 32


def test_the_callers_deadline_says_nothing_about_the_service_and_the_nodes_time_limit_does() -> None:
    with virtual_time(seed=1) as clock:
        node = pr.actor(concurrency="auto", timeout_s=10)(Service)(1)
        with pr.Flow(node).start() as run:

            async def main() -> list[int]:
                for _ in range(20):
                    asks = (run.aask(x, timeout_s=0.5) for x in range(32))
                    await asyncio.gather(*asks, return_exceptions=True)
                before = run.status().nodes[0].places
                await run.acollect(range(400), on_error="skip")
                return [before, run.status().nodes[0].places]

            before, after = clock.run(main())
            assert before == 32
            assert after < 32
