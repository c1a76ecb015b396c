"""The flows of penguiray, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypedDict, TypeVar, Unpack

import penguiray as pr
from benchmarks.workloads import (
    CHAIN,
    CPUS,
    IO_IN_FLIGHT,
    SKEW,
    Array,
    Event,
    Message,
    add_first,
    add_second,
    add_third,
    wait,
)

__all__ = ["Wishes", "bulk_flow", "chain_flow", "fold_flow", "io_flow", "key_flow", "skew_flow"]

T = TypeVar("T")


class Wishes(TypedDict, total=False):
    """How a peer differs from penguiray with every option unset."""

    engine: Literal["local", "ray"]
    """Unset: Ray."""
    fuse: bool
    """False: each node is a stage of its own, so every message makes three hops. Unset: neighbours share a replica."""
    replicas: int
    """Of each stage. Unset: penguiray shares the CPUs, so a fused chain has one for each."""
    streams: bool
    """False: processes talk by Ray's calls only, as between hosts. Unset: over sockets."""


def chain_flow(**wishes: Unpack[Wishes]) -> pr.Flow[Message, Message]:
    """Chain."""
    first, second, third = (_node(function, wishes) for function in CHAIN)
    return pr.Flow(first >> second >> third, name="chain", options=_options(wishes))


def skew_flow(**wishes: Unpack[Wishes]) -> pr.Flow[Message, Message]:
    """Skew."""
    first, second, third = (_node(function, wishes) for function in SKEW)
    return pr.Flow(first >> second >> third, name="skew", options=_options(wishes))


def io_flow() -> pr.Flow[Message, Message]:
    """Io: one node."""
    return pr.Flow(pr.node(concurrency=IO_IN_FLIGHT)(wait), name="io")


def bulk_flow(**wishes: Unpack[Wishes]) -> pr.Flow[Array, Array]:
    """Bulk."""
    graph = _node(add_first, wishes) >> _node(add_second, wishes) >> _node(add_third, wishes)
    return pr.Flow(graph, name="bulk", options=_options(wishes))


def fold_flow() -> pr.Flow[Event, dict[str, int]]:
    """Keyed as one sum, in one replica, given when the input ends.

    The counts are exact: a run that loses the replica ends with an error, never with a part of them.
    """
    total: pr.Node[Event, dict[str, int]] = pr.fold(_no_counts, _add_event)
    return pr.Flow(total, name="keyed")


def key_flow() -> pr.Flow[Event, tuple[str, int]]:
    """Keyed by `ctx.emit(key=)`: the counts are spread over replicas, and each event gives its user's count so far.

    A user's events are counted one at a time, in order, in one replica, so the largest count is the last. It holds as
    long as no replica is lost: what a class node keeps is a cache, and one that takes another's place counts from 0.
    """
    return pr.Flow(_give_by_user >> pr.actor(replicas=CPUS)(_CountByUser)(), name="keyed")


def _no_counts() -> dict[str, int]:
    return {}


def _add_event(counts: dict[str, int], event: Event) -> dict[str, int]:
    counts[event.user] = counts.get(event.user, 0) + 1
    return counts


@pr.node
def _give_by_user(event: Event, ctx: pr.Context) -> Event | None:
    ctx.emit(event, key=event.user)
    return None


class _CountByUser:
    """Counts for as long as its replica lives, over all maps."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __call__(self, event: Event) -> tuple[str, int]:
        """How many events of the user there were, this one included."""
        count = self._counts[event.user] = self._counts.get(event.user, 0) + 1
        return event.user, count


def _node(function: Callable[[T], T], wishes: Wishes) -> pr.Node[T, T]:
    made: pr.Node[T, T] = pr.node(function)
    if "fuse" in wishes:
        made = made.options(fuse=wishes["fuse"])
    if "replicas" in wishes:
        made = made.options(replicas=wishes["replicas"])
    return made


def _options(wishes: Wishes) -> pr.FlowOptions:
    return pr.FlowOptions(streams=wishes.get("streams", True))
