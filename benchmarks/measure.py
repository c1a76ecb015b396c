"""How a peer is timed: warm the pipe, then time from the first message in to the last result out, then check."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles
from typing import TypeAlias

from benchmarks.cpu import cpu_time
from benchmarks.workloads import ARRAY_BYTES, ASKERS, BULK, Array, Event, Message, arrays, events, messages

__all__ = ["Measures", "bandwidth", "counting", "latency", "latency_async", "latency_crowd", "throughput"]

Measures: TypeAlias = dict[str, float]


def throughput(run: Callable[[Sequence[Message]], Sequence[Message]], n: int, *, moved_by: int = 0) -> Measures:
    """Messages per second of a peer that takes many messages and gives their results as a list, in any order.

    Also the CPU microseconds for each message, by kind of process.

    Args:
        run: The peer's pipe, already started.
        n: Messages to time; a tenth of them, at least 20, goes through before.
        moved_by: What the pipe adds to the id of every message.

    Raises:
        ValueError: Results are missing, doubled or not what the nodes make.
    """
    inputs = messages(n)
    run(inputs[: max(20, n // 10)])
    used_before, began = cpu_time(), time.perf_counter()
    results = run(inputs)
    seconds, used = time.perf_counter() - began, cpu_time()
    if sorted(result.id for result in results) != [message.id + moved_by for message in inputs]:
        raise ValueError(f"{len(results)} results for {n} messages are not what the nodes make")
    return {"messages_per_s": n / seconds, "timed_s": seconds, **used.each_us(used_before, n)}


def counting(run: Callable[[Sequence[Event]], Mapping[str, int]], n: int) -> Measures:
    """Events per second of a peer that takes many events and gives how many there are of each user; a tenth go before.

    Raises:
        ValueError: A count is wrong.
    """
    inputs = events(n)
    run(inputs[: max(20, n // 10)])
    began = time.perf_counter()
    counts = run(inputs)
    seconds = time.perf_counter() - began
    wanted = Counter(event.user for event in inputs)
    if dict(counts) != wanted:
        wrong = sum(counts.get(user) != count for user, count in wanted.items())
        raise ValueError(f"{wrong} of {len(wanted)} counts are wrong or missing")
    return {"events_per_s": n / seconds, "timed_s": seconds}


def latency(ask: Callable[[Message], Message], n: int) -> Measures:
    """Median and 99th percentile of one message at a time through chain; a tenth as many go before."""
    inputs = messages(n)
    for message in inputs[: max(10, n // 10)]:
        ask(message)
    seconds = []
    for message in inputs:
        began = time.perf_counter()
        result = ask(message)
        seconds.append(time.perf_counter() - began)
        _check_reply(message, result)
    return _percentiles(seconds)


async def latency_async(ask: Callable[[Message], Awaitable[Message]], n: int) -> Measures:
    """Twin of `latency` for a peer that is asked inside an event loop."""
    inputs = messages(n)
    for message in inputs[: max(10, n // 10)]:
        await ask(message)
    seconds = []
    for message in inputs:
        began = time.perf_counter()
        result = await ask(message)
        seconds.append(time.perf_counter() - began)
        _check_reply(message, result)
    return _percentiles(seconds)


def latency_crowd(ask: Callable[[Message], Message], n: int) -> Measures:
    """Median and 99th percentile of one message through chain while `ASKERS` threads ask, each one at a time.

    A tenth as many go before, at least one from each thread.
    """
    inputs = messages(n)

    def timed_ask(message: Message) -> tuple[Message, float]:
        began = time.perf_counter()
        result = ask(message)
        return result, time.perf_counter() - began

    with ThreadPoolExecutor(ASKERS) as askers:
        list(askers.map(timed_ask, inputs[: max(ASKERS, n // 10)]))
        began = time.perf_counter()
        answers = list(askers.map(timed_ask, inputs))
        seconds = time.perf_counter() - began
    for message, (result, _) in zip(inputs, answers, strict=True):
        _check_reply(message, result)
    return {
        **_percentiles([each_s for _, each_s in answers]),
        "messages_per_s": n / seconds,
        "timed_s": seconds,
    }


def bandwidth(run: Callable[[Iterator[Array]], Iterable[Array]], n: int) -> Measures:
    """GB/s of a peer that takes arrays one by one and gives results one by one, each dropped once it was looked at.

    The bytes of an array count once, however many nodes it passes.

    Raises:
        ValueError: Results are missing or not what the nodes make.
    """
    _drain(run(arrays(4)), 4)
    inputs = arrays(n)
    began = time.perf_counter()
    _drain(run(inputs), n)
    seconds = time.perf_counter() - began
    return {"gb_per_s": n * ARRAY_BYTES / seconds / 1e9, "timed_s": seconds}


def _drain(results: Iterable[Array], n: int) -> None:
    found = 0.0
    for array in results:
        if len(array) * array.itemsize != ARRAY_BYTES or array[0] != array[-1]:
            raise ValueError(f"a result is no array of {ARRAY_BYTES} bytes that holds one number")
        found += float(array[0])
    wanted = sum(i % 4 + len(BULK) for i in range(n))
    if found != wanted:
        raise ValueError(f"results of {n} arrays add up to {found:g}, not {wanted}")


def _check_reply(message: Message, result: Message) -> None:
    if result.id != message.id + 1 or not result.is_seen:
        raise ValueError(f"{result!r} is no answer to {message!r}")


def _percentiles(seconds: Sequence[float]) -> Measures:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {"p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3, "timed_s": sum(seconds)}
