"""penguiray: the calls that do the work. With no wish every option is unset, and it runs on Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from typing import TypeVar, Unpack

import penguiray as pr
from benchmarks.measure import Measures, bandwidth, counting, latency, latency_async, latency_crowd, throughput
from benchmarks.peers.penguiray_flows import Wishes, bulk_flow, chain_flow, fold_flow, io_flow, skew_flow
from benchmarks.ray_session import ray_session
from benchmarks.workloads import Array, Event, Message

I = TypeVar("I")  # noqa: E741 - the input of a flow, as in the package
O = TypeVar("O")  # noqa: E741 - the output of a flow


def run_chain(n: int, **wishes: Unpack[Wishes]) -> Measures:
    """Chain by `run.map`."""
    with _running(chain_flow(**wishes), wishes) as run:
        return throughput(lambda inputs: list(run.map(inputs)), n, moved_by=1)


def run_ping(n: int, **wishes: Unpack[Wishes]) -> Measures:
    """Ping by `run.ask`."""
    with _running(chain_flow(**wishes), wishes) as run:
        return latency(run.ask, n)


def run_ping_crowd(n: int, **wishes: Unpack[Wishes]) -> Measures:
    """Ping by `run.ask` in many threads."""
    with _running(chain_flow(**wishes), wishes) as run:
        return latency_crowd(run.ask, n)


def run_ping_async(n: int, **wishes: Unpack[Wishes]) -> Measures:
    """Ping by `run.aask`."""

    async def measure() -> Measures:
        async with chain_flow(**wishes).start(engine=wishes.get("engine", "ray")) as run:
            return await latency_async(run.aask, n)

    with _ray_if_wanted(wishes):
        return asyncio.run(measure())


def run_small(n: int, **wishes: Unpack[Wishes]) -> Measures:
    """Small by `run.send` in one thread and `run.results` in another; `send` itself keeps to what may be in flight."""
    with _running(chain_flow(**wishes), wishes) as run, ThreadPoolExecutor(1) as sender:

        def send(inputs: Sequence[Message]) -> None:
            for message in inputs:
                run.send(message)

        def through(inputs: Sequence[Message]) -> list[Message]:
            sending = sender.submit(send, inputs)
            results = list(islice(run.results(), len(inputs)))
            sending.result()
            return results

        return throughput(through, n, moved_by=1)


def run_skew(n: int, **wishes: Unpack[Wishes]) -> Measures:
    """Skew by `run.map`; on the local engine one process, so one CPU."""
    with _running(skew_flow(**wishes), wishes) as run:
        return throughput(lambda inputs: list(run.map(inputs)), n)


def run_io(n: int, **wishes: Unpack[Wishes]) -> Measures:
    """Io by `run.map`."""
    with _running(io_flow(), wishes) as run:
        return throughput(lambda inputs: list(run.map(inputs)), n)


def run_bulk(n: int, **wishes: Unpack[Wishes]) -> Measures:
    """Bulk by `run.map`."""
    with _running(bulk_flow(**wishes), wishes) as run:

        def through(inputs: Iterator[Array]) -> Iterator[Array]:
            with run.map(inputs) as results:
                yield from results

        return bandwidth(through, n)


def run_keyed(n: int, **wishes: Unpack[Wishes]) -> Measures:
    """Keyed by a fold."""
    with _running(fold_flow(), wishes) as run:

        def count(inputs: Sequence[Event]) -> dict[str, int]:
            (counts,) = run.map(inputs)
            return counts

        return counting(count, n)


@contextmanager
def _running(flow: pr.Flow[I, O], wishes: Wishes) -> Iterator[pr.Run[I, O]]:
    with _ray_if_wanted(wishes), flow.start(engine=wishes.get("engine", "ray")) as run:
        yield run


def _ray_if_wanted(wishes: Wishes) -> AbstractContextManager[None]:
    return nullcontext() if wishes.get("engine") == "local" else ray_session()
