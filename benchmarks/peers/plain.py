"""A plain loop in one process; `asyncio.gather` for io."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from benchmarks.measure import Measures, bandwidth, counting, throughput
from benchmarks.workloads import BULK, CHAIN, IO_IN_FLIGHT, SKEW, Array, Event, Message, wait

Function = Callable[[Message], Message]


def run_chain(n: int) -> Measures:
    """Chain by calls."""
    return throughput(lambda inputs: _loop(inputs, CHAIN), n, moved_by=1)


def run_skew(n: int) -> Measures:
    """Skew by calls."""
    return throughput(lambda inputs: _loop(inputs, SKEW), n)


def run_io(n: int) -> Measures:
    """Io by a task for each message and a semaphore."""
    with asyncio.Runner() as runner:
        return throughput(lambda inputs: runner.run(_gather(inputs)), n)


def run_bulk(n: int) -> Measures:
    """Bulk by calls."""
    return bandwidth(_bulk, n)


def run_keyed(n: int) -> Measures:
    """Keyed by a dict."""
    return counting(_count, n)


def _loop(inputs: Sequence[Message], functions: tuple[Function, Function, Function]) -> list[Message]:
    first, second, third = functions
    return [third(second(first(message))) for message in inputs]


async def _gather(inputs: Sequence[Message]) -> list[Message]:
    slots = asyncio.Semaphore(IO_IN_FLIGHT)

    async def call(message: Message) -> Message:
        async with slots:
            return await wait(message)

    return await asyncio.gather(*map(call, inputs))


def _bulk(inputs: Iterator[Array]) -> Iterator[Array]:
    first, second, third = BULK
    for array in inputs:
        yield third(second(first(array)))


def _count(inputs: Sequence[Event]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for event in inputs:
        counts[event.user] = counts.get(event.user, 0) + 1
    return counts
