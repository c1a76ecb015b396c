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
    "ASKERS",
    "BULK",
    "CHAIN",
    "CPUS",
    "IO_IN_FLIGHT",
    "SKEW",
    "SMALL_IN_FLIGHT",
    "WORKLOADS",
    "Array",
    "Event",
    "Message",
    "Scale",
    "Workload",
    "arrays",
    "events",
    "messages",
    "wait",
]

Array: TypeAlias = npt.NDArray[np.float64]
Scale = Literal["tiny", "small", "full"]

CPUS = 2
"""CPUs that every process is pinned to, and what Ray is told that the host has."""
IO_IN_FLIGHT = 1_000
"""Awaits that a peer may have at the same time."""
SMALL_IN_FLIGHT = 1_000
"""Messages of the small workload that may be under way; what `run.send` of penguiray keeps to by itself."""
ASKERS = 100
"""Threads that ask at the same time in the workload of that name."""
ARRAY_BYTES = 8_000_000
"""Size of one array of the bulk workload."""
_WAIT_S = 0.02
_USERS = 10_000
"""Keys of the keyed workload."""
_ZIPF = 1.1
"""The user of rank r has so many events that they fall with r to this power; the first has 15 % of them."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of work, in the sizes it is run in."""

    name: str
    """Short name, also of the peers' functions: `run_<name>`, with `_` for `-`."""
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
    beside: str = ""
    """Key of a second figure, shown behind the first; empty: none."""
    is_lower_better: bool = False
    """Whether the figure is a time."""

    @property
    def function(self) -> str:
        """Name of the peers' functions for it."""
        return f"run_{self.name.replace('-', '_')}"


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
            beside="p99_ms",
            is_lower_better=True,
        ),
        Workload(
            "ping-crowd",
            f"{ASKERS} threads that each ask one message at a time through the 3 nodes of chain",
            "ms, p50 / p99",
            "p50_ms",
            {"tiny": 200, "small": 2_000, "full": 10_000},
            hand="ray-actors",
            beside="p99_ms",
            is_lower_better=True,
        ),
        Workload(
            "ping-async",
            "ping, asked inside an event loop",
            "ms, p50 / p99",
            "p50_ms",
            {"tiny": 20, "small": 200, "full": 1_000},
            hand="ray-actors",
            beside="p99_ms",
            is_lower_better=True,
        ),
        Workload(
            "small",
            f"the messages and nodes of chain in three actors, given one at a time, {SMALL_IN_FLIGHT:,} in flight",
            "messages/s / CPU µs each",
            "messages_per_s",
            {"tiny": 400, "small": 10_000, "full": 100_000},
            hand="ray-actors",
            beside="cpu_us",
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
            "keyed",
            f"count events by user, {_USERS:,} users by Zipf's law",
            "events/s",
            "events_per_s",
            {"tiny": 2_000, "small": 100_000, "full": 1_000_000},
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


class Event(BaseModel):
    """What a user did, as streams of clicks have it."""

    user: str
    page: int


def messages(n: int) -> list[Message]:
    """Make the inputs with ids 0 to n - 1."""
    return [Message(id=i, text=f"message {i}", score=i / 2, tags=["new", "blue"], is_seen=False) for i in range(n)]


def arrays(n: int) -> Iterator[Array]:
    """Give n arrays of `ARRAY_BYTES`, drawn from four that exist before the first is asked for.

    Array i holds `i % 4` everywhere.
    """
    pool = [np.full(ARRAY_BYTES // 8, float(i)) for i in range(4)]
    return (pool[i % 4] for i in range(n))


def events(n: int) -> list[Event]:
    """Make n events, the same each time, whose users follow Zipf's law."""
    weights = 1.0 / np.arange(1, _USERS + 1) ** _ZIPF
    users = np.random.default_rng(1).choice(_USERS, size=n, p=weights / weights.sum())
    return [Event(user=f"user {user}", page=page % 100) for page, user in enumerate(users.tolist())]


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
