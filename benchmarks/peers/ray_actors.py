"""Ray actors with a call for each message; references go from actor to actor, bytes do not pass the driver."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import ray

from benchmarks.measure import Measures, bandwidth, latency, latency_async, latency_crowd, throughput
from benchmarks.ray_session import ray_session
from benchmarks.workloads import BULK, CHAIN, IO_IN_FLIGHT, SKEW, SMALL_IN_FLIGHT, Array, Message, wait

_ARRAYS_IN_FLIGHT = 8


class _Step:
    """Runs one function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def call(self, value: Any) -> Any:
        """One message through the function."""
        return self._function(value)


class _Waiter:
    """An async actor."""

    async def call(self, message: Message) -> Message:
        """One message through the node of io."""
        return await wait(message)


# Ray's own types lose `.remote` on an actor class, and know no options but those of tasks.
Step: Any = ray.remote(_Step)
Waiter: Any = ray.remote(max_concurrency=IO_IN_FLIGHT)(_Waiter)  # type: ignore[call-overload]  # see above


def run_chain(n: int) -> Measures:
    """Chain: three actors, all calls submitted at once."""
    with ray_session():
        pools = [[Step.remote(function)] for function in CHAIN]
        return throughput(lambda inputs: _through(pools, inputs), n, moved_by=1)


def run_ping(n: int) -> Measures:
    """Ping: three calls whose references are passed on, one `ray.get`."""
    with ray_session():
        call = _three_calls(CHAIN)
        return latency(lambda message: _got(call(message)), n)


def run_ping_crowd(n: int) -> Measures:
    """The same in many threads."""
    with ray_session():
        call = _three_calls(CHAIN)
        return latency_crowd(lambda message: _got(call(message)), n)


def run_ping_async(n: int) -> Measures:
    """The same with an awaited reference."""
    with ray_session():
        call = _three_calls(CHAIN)

        async def ask(message: Message) -> Message:
            result: Message = await call(message)
            return result

        return asyncio.run(latency_async(ask, n))


def run_small(n: int) -> Measures:
    """Small: three actors, so many messages in flight, as the pattern against too many pending calls says."""
    with ray_session():
        call = _three_calls(CHAIN)
        return throughput(lambda inputs: list(_windowed(call, inputs, SMALL_IN_FLIGHT)), n, moved_by=1)


def run_skew(n: int) -> Measures:
    """Skew: 1, 2 and 1 actors, each pool in turn."""
    with ray_session():
        pools = [[Step.remote(function) for _ in range(width)] for function, width in zip(SKEW, (1, 2, 1), strict=True)]
        return throughput(lambda inputs: _through(pools, inputs), n)


def run_io(n: int) -> Measures:
    """Io: one async actor with `max_concurrency`."""
    with ray_session():
        waiter = Waiter.remote()

        def run(inputs: Sequence[Message]) -> list[Message]:
            results: list[Message] = ray.get([waiter.call.remote(message) for message in inputs])
            return results

        return throughput(run, n)


def run_bulk(n: int) -> Measures:
    """Bulk: three actors, some arrays in flight, by the same pattern."""
    with ray_session():
        call = _three_calls(BULK)

        def run(inputs: Iterator[Array]) -> Iterator[Array]:
            return _windowed(call, inputs, _ARRAYS_IN_FLIGHT)

        return bandwidth(run, n)


def _three_calls(functions: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """From a value to the reference of its result, by way of three new actors."""
    first, second, third = (Step.remote(function) for function in functions)
    return lambda value: third.call.remote(second.call.remote(first.call.remote(value)))


def _got(ref: Any) -> Message:
    result: Message = ray.get(ref)
    return result


def _windowed(call: Callable[[Any], Any], inputs: Iterable[Any], in_flight: int) -> Iterator[Any]:
    pending: deque[Any] = deque()
    for value in inputs:
        if len(pending) == in_flight:
            yield ray.get(pending.popleft())
        pending.append(call(value))
    while pending:
        yield ray.get(pending.popleft())


def _through(pools: Sequence[Sequence[Any]], inputs: Sequence[Message]) -> list[Message]:
    refs = []
    for index, message in enumerate(inputs):
        value: Any = message
        for pool in pools:
            value = pool[index % len(pool)].call.remote(value)
        refs.append(value)
    results: list[Message] = ray.get(refs)
    return results
