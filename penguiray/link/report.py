"""What a replica tells the caller's side: which messages are finished and with how many outputs, and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from penguiray.link.failure import Failure
from penguiray.link.frame import LinkId

__all__ = ["Chosen", "NodeCount", "Report", "sent_elsewhere"]

Chosen = int | dict[int, int]
"""Destination of a message's only output, or of each output by its index; see `plan.plan.goes_along`."""


@dataclass(slots=True)
class NodeCount:
    """What one node did in one replica since its start."""

    taken: int = 0
    """Messages that entered the node."""
    given: int = 0
    """Messages that it gave."""
    failed: int = 0
    """Messages that it gave up on."""
    retried: int = 0
    """Attempts after a message's first."""
    hedged: int = 0
    """Second calls of a message whose first call took much longer than others."""
    busy_s: float = 0.0
    """Seconds spent in the node's calls, added up over calls that ran at the same time."""
    places: int = 0
    """Calls that it may run at the same time now, where it finds that number by itself; else 0, as the next two."""
    place_s: float = 0.0
    """Seconds of each of these places, added up."""
    watched_s: float = 0.0
    """Seconds over which they were added up."""

    def copy(self) -> NodeCount:
        """What it is now."""
        return NodeCount(
            self.taken, self.given, self.failed, self.retried, self.hedged, self.busy_s, self.places, self.place_s,
            self.watched_s,
        )  # fmt: skip

    def plus(self, other: NodeCount) -> NodeCount:
        """Both together."""
        return NodeCount(
            self.taken + other.taken,
            self.given + other.given,
            self.failed + other.failed,
            self.retried + other.retried,
            self.hedged + other.hedged,
            self.busy_s + other.busy_s,
            self.places + other.places,
            self.place_s + other.place_s,
            self.watched_s + other.watched_s,
        )


@dataclass(slots=True)
class Report:
    """One replica's news, in the order in which things happened; reports of one replica are never reordered.

    A finished message is named by root and id. Its outputs need no naming: their ids follow from its own.
    """

    stage: int
    """Stage of the replica."""
    number: int = 0
    """How many reports of the replica this is the last of; 0 for a process that attached."""
    roots: list[int] = field(default_factory=list)
    """Roots of the finished messages."""
    ids: list[int] = field(default_factory=list)
    """Ids of the finished messages."""
    counts: list[int] = field(default_factory=list)
    """How many outputs each of them had."""
    destinations: dict[int, Chosen] = field(default_factory=dict)
    """Where outputs went that were sent somewhere in particular, by id of the finished message."""
    results: list[Any] = field(default_factory=list)
    """Values for the caller: the outputs of the finished messages above, in their order, if the stage is an end that
    gives its outputs when a message is finished; else the streamed ones below."""
    streamed: list[tuple[int, int, int]] = field(default_factory=list)
    """(root, id of the input, index) of each result that came before its input was finished."""
    parked: list[tuple[int, int]] = field(default_factory=list)
    """(root, id) of messages that wait for others at a join. To be read before the finished ones."""
    failures: list[Failure] = field(default_factory=list)
    """Messages that were given up on; they are finished too, and not listed above."""
    begun: list[tuple[int, int]] = field(default_factory=list)
    """(root, id) of each message of a suspect that is begun once this is known."""
    unreached: dict[LinkId, int] = field(default_factory=dict)
    """Replicas to which a frame could not be brought, each with the number of the last word that was heard of it."""
    counters: dict[str, NodeCount] = field(default_factory=dict)
    """What each node of the stage has done so far."""
    has_counters: bool = False
    """Whether the counters are news."""

    def __bool__(self) -> bool:
        news = self.ids or self.results or self.failures or self.parked or self.begun or self.unreached
        return bool(news or self.has_counters)

    def extend(self, later: Report) -> None:
        """Add news that came after these; counters stay as they are."""
        self.roots += later.roots
        self.ids += later.ids
        self.counts += later.counts
        self.destinations.update(later.destinations)
        self.results += later.results
        self.streamed += later.streamed
        self.parked += later.parked
        self.failures += later.failures
        self.begun += later.begun
        self.unreached.update(later.unreached)


def sent_elsewhere(chosen: Chosen | None) -> int:
    """How many outputs of a message went a way of their own, and not to the caller."""
    return len(chosen) if isinstance(chosen, dict) else int(chosen is not None)
