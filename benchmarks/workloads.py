"""The work itself: messages, node functions that every peer runs unchanged, and how much of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

__all__ = [
    "ARRAY_BYTES",
    "BULK",
    "CHAIN",
    "CPUS",
    "IO_IN_FLIGHT",
    "SKEW",
    "WORKLOADS",
    "Array",
    "Message",
    "Scale",
    "Workload",
    "arrays",
    "messages",
    "wait",
]

Array: TypeAlias = npt.NDArray[np.float64]
Scale = Literal["tiny", "small", "full"]

CPUS = 2
"""CPUs that every process is pinned to, and what Ray is told that the host has."""
IO_IN_FLIGHT = 1_000
"""Awaits that a peer may have at the same time."""
ARRAY_BYTES = 8_000_000
"""Size of one array of the bulk workload."""
_WAIT_S = 0.02


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of work, in the sizes it is run in."""

    name: str
    """Short name, also of the peers' functions: `run_<name>`."""
    title: str
    """What is done."""
    unit: str
    """What the table shows."""
    measure: str
    """Key of the figure in a peer's measures."""
    sizes: dict[Scale, int]
    """Messages a run; a peer that is much slower may get fewer, see `benchmarks.peers`."""
    hand: str = ""
    """Peer that stands for what one writes by hand on Ray; empty: none does."""
    is_lower_better: bool = False
    """Whether the figure is a time."""


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            "chain",
            "3 light nodes over small pydantic messages",
            "messages/s",
            "messages_per_s",
            {"tiny": 400, "small": 10_000, "full": 100_000},
            hand="ray-batched",
        ),
        Workload(
            "ping",
            "one message at a time through the 3 nodes of chain",
            "ms, p50 / p99",
            "p50_ms",
            {"tiny": 20, "small": 200, "full": 1_000},
            hand="ray-actors",
            is_lower_better=True,
        ),
        Workload(
            "skew",
            f"3 nodes of 1, 8 and 1 ms of CPU; ideal {CPUS * 100}/s",
            "messages/s",
            "messages_per_s",
            {"tiny": 20, "small": 200, "full": 600},
            hand="ray-batched",
        ),
        Workload(
            "io",
            "one node that awaits 20 ms, 1,000 in flight",
            "messages/s",
            "messages_per_s",
            {"tiny": 200, "small": 5_000, "full": 50_000},
            hand="ray-actors",
        ),
        Workload(
            "bulk",
            "8 MB float64 arrays through 3 nodes that add 1",
            "GB/s",
            "gb_per_s",
            {"tiny": 4, "small": 30, "full": 100},
            hand="ray-actors",
        ),
        Workload(
            "import",
            "importing the package in a fresh interpreter",
            "ms",
            "import_ms",
            {"tiny": 1, "small": 3, "full": 5},
            is_lower_better=True,
        ),
    )
}


class Message(BaseModel):
    """A small message, as pipelines of text have them."""

    id: int
    text: str
    score: float
    tags: list[str]
    is_seen: bool


def messages(n: int) -> list[Message]:
    """Make the inputs with ids 0 to n - 1."""
    return [Message(id=i, text=f"message {i}", score=i / 2, tags=["new", "blue"], is_seen=False) for i in range(n)]


def arrays(n: int) -> Iterator[Array]:
    """Give n arrays of `ARRAY_BYTES`, drawn from four that exist before the first is asked for.

    Array i holds `i % 4` everywhere.
    """
    pool = [np.full(ARRAY_BYTES // 8, float(i)) for i in range(4)]
    return (pool[i % 4] for i in range(n))


def number(message: Message) -> Message:
    """First node of chain."""
    return message.model_copy(update={"id": message.id + 1})


def weigh(message: Message) -> Message:
    """Second node of chain."""
    return message.model_copy(update={"score": message.score * 0.5 + 1.0})


def mark(message: Message) -> Message:
    """Third node of chain."""
    return message.model_copy(update={"is_seen": True})


def prepare(message: Message) -> Message:
    """First node of skew."""
    return _burn(message, 0.001)


def crunch(message: Message) -> Message:
    """Second node of skew: the slow one."""
    return _burn(message, 0.008)


def finish(message: Message) -> Message:
    """Third node of skew."""
    return _burn(message, 0.001)


async def wait(message: Message) -> Message:
    """The node of io."""
    await asyncio.sleep(_WAIT_S)
    return message


def add_first(array: Array) -> Array:
    """First node of bulk."""
    return array + 1.0


def add_second(array: Array) -> Array:
    """Second node of bulk."""
    return array + 1.0


def add_third(array: Array) -> Array:
    """Third node of bulk."""
    return array + 1.0


def _burn(message: Message, cpu_s: float) -> Message:
    """Burn CPU time of this thread, so that a busy host does not make the work smaller."""
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        pass
    return message


CHAIN = (number, weigh, mark)
SKEW = (prepare, crunch, finish)
BULK = (add_first, add_second, add_third)
