"""Ray Data: `from_items` or `from_numpy`, three maps, results iterated on the driver.

Messages are rows of columns, which went faster than a column of pickled models. A dataset is planned and started
anew for each pass, so that is inside what is timed; its workers are warm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray.data

from benchmarks.measure import Measures, bandwidth, counting, throughput
from benchmarks.ray_session import ray_session
from benchmarks.workloads import BULK, CHAIN, CPUS, SKEW, Array, Event, Message

Function = Callable[[Message], Message]

_CHAIN_BLOCKS = 2 * CPUS
_SKEW_BLOCKS = 20


def run_chain(n: int) -> Measures:
    """Chain by `map_batches` over few large blocks."""
    return _throughput(_map_batches, CHAIN, _CHAIN_BLOCKS, n, moved_by=1)


def run_skew(n: int) -> Measures:
    """Skew by `map` over more blocks, so that no CPU waits long for the last."""
    return _throughput(_map, SKEW, _SKEW_BLOCKS, n)


def run_bulk(n: int) -> Measures:
    """Bulk by `map_batches` over blocks of one array."""
    with ray_session():
        _quiet()
        return bandwidth(_bulk, n)


def run_keyed(n: int) -> Measures:
    """Keyed by `groupby` and `count`; of an event the user is its row."""
    with ray_session():
        _quiet()
        return counting(_count, n)


def _throughput(
    add_map: Callable[[Any, Function], Any], functions: Sequence[Function], blocks: int, n: int, *, moved_by: int = 0
) -> Measures:
    with ray_session():
        _quiet()

        def run(inputs: Sequence[Message]) -> list[Message]:
            rows = [message.model_dump() for message in inputs]
            data: Any = ray.data.from_items(rows, override_num_blocks=min(blocks, len(rows)))
            for function in functions:
                data = add_map(data, function)
            return [Message(**row) for row in data.iter_rows()]

        return throughput(run, n, moved_by=moved_by)


def _map_batches(data: Any, function: Function) -> Any:
    def call(batch: dict[str, Any]) -> dict[str, list[Any]]:
        rows = (dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True))
        results = [function(Message(**row)).model_dump() for row in rows]
        return {field: [result[field] for result in results] for field in batch}

    return data.map_batches(call)


def _map(data: Any, function: Function) -> Any:
    return data.map(lambda row: function(Message(**row)).model_dump())


def _bulk(inputs: Iterator[Array]) -> Iterator[Array]:
    data: Any = ray.data.from_numpy(list(inputs))
    for function in BULK:
        data = data.map_batches(_array_call(function), batch_size=None)
    for batch in data.iter_batches(batch_size=None):
        yield batch["data"]


def _count(inputs: Sequence[Event]) -> dict[str, int]:
    data: Any = ray.data.from_items([{"user": event.user} for event in inputs])
    return {row["user"]: row["count()"] for row in data.groupby("user").count().iter_rows()}


def _array_call(function: Callable[[Array], Array]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda batch: {"data": function(batch["data"])}


def _quiet() -> None:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
