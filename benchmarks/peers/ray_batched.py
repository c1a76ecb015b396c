"""Ray actors with a call for a list of messages: what one writes when single calls are too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray

from benchmarks.measure import Measures, throughput
from benchmarks.ray_session import ray_session
from benchmarks.workloads import CHAIN, IO_IN_FLIGHT, SKEW, Message, wait

_CHAIN_BATCH = 500
_SKEW_BATCH = 10
_IO_BATCH = 100


class _BatchStep:
    """Runs one function over lists."""

    def __init__(self, function: Callable[[Message], Message]) -> None:
        self._function = function

    def call(self, batch: list[Message]) -> list[Message]:
        """A list of messages through the function."""
        return [self._function(message) for message in batch]


class _BatchWaiter:
    """An async actor over lists."""

    async def call(self, batch: list[Message]) -> list[Message]:
        """A list of messages through the node of io."""
        return await asyncio.gather(*map(wait, batch))


# Ray's own types lose `.remote` on an actor class, and know no options but those of tasks.
BatchStep: Any = ray.remote(_BatchStep)
_as_actor = ray.remote(max_concurrency=IO_IN_FLIGHT // _IO_BATCH)  # type: ignore[call-overload]  # see above
BatchWaiter: Any = _as_actor(_BatchWaiter)


def run_chain(n: int) -> Measures:
    """Chain: three actors, lists of 500, all calls submitted at once."""
    with ray_session():
        pools = [[BatchStep.remote(function)] for function in CHAIN]
        return throughput(lambda inputs: _through(pools, inputs, _CHAIN_BATCH), n, moved_by=1)


def run_skew(n: int) -> Measures:
    """Skew: 1, 2 and 1 actors, lists of 10, each pool in turn."""
    with ray_session():
        pools = [
            [BatchStep.remote(function) for _ in range(width)] for function, width in zip(SKEW, (1, 2, 1), strict=True)
        ]
        return throughput(lambda inputs: _through(pools, inputs, _SKEW_BATCH), n)


def run_io(n: int) -> Measures:
    """Io: one async actor, ten lists of 100 at a time."""
    with ray_session():
        pools = [[BatchWaiter.remote()]]
        return throughput(lambda inputs: _through(pools, inputs, _IO_BATCH), n)


def _through(pools: Sequence[Sequence[Any]], inputs: Sequence[Message], size: int) -> list[Message]:
    refs = []
    for index, batch in enumerate(_batches(inputs, size)):
        value: Any = batch
        for pool in pools:
            value = pool[index % len(pool)].call.remote(value)
        refs.append(value)
    return [message for ref in refs for message in ray.get(ref)]


def _batches(inputs: Sequence[Message], size: int) -> Iterator[list[Message]]:
    for start in range(0, len(inputs), size):
        yield list(inputs[start : start + size])
