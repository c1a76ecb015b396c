"""Penguiflow as its quickstart shows it: typed nodes with a registry, `emit` and `fetch`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from penguiflow import ModelRegistry, Node, NodePolicy, PenguiFlow, create

from benchmarks.measure import Measures, latency_async, throughput
from benchmarks.workloads import CHAIN, SKEW, Message, wait

Step = Callable[[Message, Any], Awaitable[Message]]


def run_chain(n: int) -> Measures:
    """Chain, everything emitted while results are fetched."""
    return _throughput([_step(function) for function in CHAIN], n, moved_by=1)


def run_ping(n: int) -> Measures:
    """Ping by emit, then fetch."""

    async def measure() -> Measures:
        async with _running([_step(function) for function in CHAIN]) as flow:

            async def ask(message: Message) -> Message:
                await flow.emit(message)
                return _message(await flow.fetch())

            return await latency_async(ask, n)

    return asyncio.run(measure())


def run_skew(n: int) -> Measures:
    """Skew; nodes run on the one event loop."""
    return _throughput([_step(function) for function in SKEW], n)


def run_io(n: int) -> Measures:
    """Io; a node handles one message at a time, so nothing is in flight beside it."""

    async def call(message: Message, _ctx: Any) -> Message:
        return await wait(message)

    return _throughput([call], n)


def _throughput(steps: Sequence[Step], n: int, *, moved_by: int = 0) -> Measures:
    with asyncio.Runner() as runner:
        running = _running(steps)
        flow = runner.run(running.__aenter__())
        try:
            return throughput(lambda inputs: runner.run(_through(flow, inputs)), n, moved_by=moved_by)
        finally:
            runner.run(running.__aexit__(None, None, None))


async def _through(flow: PenguiFlow, inputs: Sequence[Message]) -> list[Message]:
    async def emit() -> None:
        for message in inputs:
            await flow.emit(message)

    emitting = asyncio.create_task(emit())
    results = [_message(await flow.fetch()) for _ in inputs]
    await emitting
    return results


@asynccontextmanager
async def _running(steps: Sequence[Step]) -> AsyncIterator[PenguiFlow]:
    registry = ModelRegistry()
    nodes = []
    for index, step in enumerate(steps):
        name = f"step{index}"
        registry.register(name, Message, Message)
        nodes.append(Node(step, name=name, policy=NodePolicy(validate="both")))
    edges = [node.to(*nodes[index + 1 : index + 2]) for index, node in enumerate(nodes)]
    flow = create(*edges)
    flow.run(registry=registry)
    try:
        yield flow
    finally:
        await flow.stop()


def _step(function: Callable[[Message], Message]) -> Step:
    async def step(message: Message, _ctx: Any) -> Message:
        return function(message)

    return step


def _message(value: object) -> Message:
    if not isinstance(value, Message):
        raise TypeError(f"the flow gave {value!r}")
    return value
