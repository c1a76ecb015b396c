"""The flows of penguiray, and how a run of one is measured; the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import penguiray as pr
from benchmarks.measure import Measures, bandwidth, latency, throughput
from benchmarks.workloads import (
    IO_IN_FLIGHT,
    Array,
    Message,
    add_first,
    add_second,
    add_third,
    crunch,
    finish,
    mark,
    number,
    prepare,
    wait,
    weigh,
)

__all__ = ["bulk_flow", "chain_flow", "io_flow", "measure_array_flow", "measure_flow", "measure_ping", "skew_flow"]

Engine = Literal["local", "ray"]


def chain_flow(*, fuse: bool = True) -> pr.Flow[Message, Message]:
    """Chain; `fuse=False` asks for three stages."""
    return pr.Flow(_node(number, fuse) >> _node(weigh, fuse) >> _node(mark, fuse), name="chain")


def skew_flow(*, fuse: bool = True) -> pr.Flow[Message, Message]:
    """Skew; `fuse=False` asks for three stages."""
    return pr.Flow(_node(prepare, fuse) >> _node(crunch, fuse) >> _node(finish, fuse), name="skew")


def io_flow() -> pr.Flow[Message, Message]:
    """Io: one node."""
    return pr.Flow(pr.node(concurrency=IO_IN_FLIGHT)(wait), name="io")


def bulk_flow(*, fuse: bool = True) -> pr.Flow[Array, Array]:
    """Bulk; `fuse=False` asks for three stages."""
    return pr.Flow(_array_node(add_first, fuse) >> _array_node(add_second, fuse) >> _array_node(add_third, fuse))


def measure_flow(flow: pr.Flow[Message, Message], engine: Engine, n: int, *, moved_by: int = 0) -> Measures:
    """Throughput of `run.map` on a run that is ready."""
    with flow.start(engine=engine) as run:
        return throughput(lambda inputs: list(run.map(inputs)), n, moved_by=moved_by)


def measure_ping(flow: pr.Flow[Message, Message], engine: Engine, n: int) -> Measures:
    """Latency of `run.ask` on a run that is ready."""
    with flow.start(engine=engine) as run:
        return latency(run.ask, n)


def measure_array_flow(flow: pr.Flow[Array, Array], engine: Engine, n: int) -> Measures:
    """Bandwidth of `run.map` on a run that is ready."""
    with flow.start(engine=engine) as run:

        def through(inputs: Iterator[Array]) -> Iterator[Array]:
            with run.map(inputs) as results:
                yield from results

        return bandwidth(through, n)


def _node(function: Callable[[Message], Message], fuse: bool) -> pr.Node[Message, Message]:
    return pr.node(function) if fuse else pr.node(fuse=False)(function)


def _array_node(function: Callable[[Array], Array], fuse: bool) -> pr.Node[Array, Array]:
    return pr.node(function) if fuse else pr.node(fuse=False)(function)
