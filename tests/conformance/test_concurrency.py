"""Calls that overlap within one replica; nobody meets at a barrier alone, so no clock is needed to prove it."""

from __future__ import annotations

import asyncio
import threading

import pytest

import penguiray as pr

SAFETY_S = 60.0


class Meet:
    """Returns only when so many calls are here at the same time."""

    def __init__(self, parties: int) -> None:
        self.barrier = asyncio.Barrier(parties)

    async def __call__(self, x: int) -> int:
        await self.barrier.wait()
        return x


class MeetInThreads:
    def __init__(self, parties: int) -> None:
        self.barrier = threading.Barrier(parties, timeout=SAFETY_S)

    def __call__(self, x: int) -> int:
        self.barrier.wait()
        return x


class MeetInBatches:
    def __init__(self, parties: int) -> None:
        self.barrier = asyncio.Barrier(parties)

    async def __call__(self, xs: list[int]) -> list[int]:
        await self.barrier.wait()
        return xs


class Most:
    """Counts how many calls are here at the same time."""

    def __init__(self) -> None:
        self.here = self.most = 0

    async def __call__(self, x: int) -> int:
        self.here += 1
        self.most = max(self.most, self.here)
        await asyncio.sleep(0)
        self.here -= 1
        return self.most


@pytest.mark.usefixtures("engine")
def test_async_calls_of_one_replica_overlap() -> None:
    node = pr.actor(replicas=1, concurrency=4, timeout_s=SAFETY_S)(Meet)(4)
    with pr.Flow(node).start() as run:
        assert sorted(run.map(range(12), window=12)) == list(range(12))


@pytest.mark.usefixtures("engine")
def test_an_async_node_overlaps_32_calls_unless_it_says_otherwise() -> None:
    node = pr.actor(replicas=1, timeout_s=SAFETY_S)(Meet)(32)
    with pr.Flow(node).start() as run:
        assert sorted(run.map(range(32), window=32)) == list(range(32))


@pytest.mark.usefixtures("engine")
def test_async_batches_of_one_replica_overlap() -> None:
    batch = pr.Batch(max_size=2, max_wait_s=SAFETY_S)
    node = pr.actor(replicas=1, concurrency=2, batch=batch, timeout_s=SAFETY_S)(MeetInBatches)(2)
    with pr.Flow(node).start() as run:
        assert sorted(run.map(range(8), window=8)) == list(range(8))


@pytest.mark.usefixtures("engine")
def test_no_more_calls_overlap_than_the_concurrency_allows() -> None:
    node = pr.actor(replicas=1, concurrency=3)(Most)()
    with pr.Flow(node).start() as run:
        assert max(run.map(range(50), window=50)) <= 3


def test_sync_calls_of_one_replica_overlap_in_threads_and_take_turns_in_one_process(engine: str) -> None:
    node = pr.actor(replicas=1, concurrency=4)(MeetInThreads)(4 if engine == "ray" else 1)
    with pr.Flow(node).start() as run:
        assert sorted(run.map(range(12), window=12)) == list(range(12))


@pytest.mark.usefixtures("engine")
def test_async_nodes_of_one_chain_overlap_with_each_other() -> None:
    first = pr.actor(replicas=1, concurrency=4, timeout_s=SAFETY_S)(Meet)
    graph = first.options(name="first")(2) >> first.options(name="second")(4)
    with pr.Flow(graph).start() as run:
        assert sorted(run.map(range(8), window=8)) == list(range(8))


class Waits(Most):
    """The same, where calls wait as long as they do however many there are."""

    async def __call__(self, x: int) -> int:
        self.here += 1
        self.most = max(self.most, self.here)
        await asyncio.sleep(0.05)
        self.here -= 1
        return self.most


@pytest.mark.usefixtures("engine")
def test_a_node_that_finds_its_concurrency_has_more_calls_where_they_take_no_longer_for_it() -> None:
    node = pr.actor(replicas=1, concurrency="auto")(Waits)()
    with pr.Flow(node).start() as run:
        assert next(most for most in run.map(range(100_000)) if most > 64)


@pytest.mark.usefixtures("engine")
def test_a_node_that_finds_its_concurrency_gives_each_result_once_with_failures_and_retries() -> None:
    @pr.node(concurrency="auto", retry=pr.Retry(max_attempts=2, initial_s=0.001, budget_reserve=10_000), timeout_s=60)
    async def odd(x: int, ctx: pr.Context) -> int:
        await asyncio.sleep(0.001 * (x % 3))
        if x % 5 == 0 and ctx.attempt == 1:
            raise ValueError(x)
        if x % 7 == 0:
            raise KeyError(x)
        return x

    with pr.Flow(odd).start() as run:
        outcomes = list(run.map(range(1_000), on_error="yield"))
        assert sorted(one for one in outcomes if isinstance(one, int)) == [x for x in range(1_000) if x % 7]
        assert sum(isinstance(one, pr.NodeError) for one in outcomes) == 143
