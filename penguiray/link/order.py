"""Puts back in order what comes from one sender by two ways, of which one may overtake the other. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

__all__ = ["InOrder", "Place"]

T = TypeVar("T")


class Place(NamedTuple):
    """Where something stands in the order of its sender."""

    sender: int
    """Number of the sender, which no other one has."""
    lane: int
    """Which of its orders; nothing is said about what goes first in two of them."""
    number: int
    """How many stand before it."""


@dataclass(slots=True)
class _Lane(Generic[T]):
    next: int = 0
    early: dict[int, T] = field(default_factory=dict)


class InOrder(Generic[T]):
    """Keeps what comes too early until all that stands before it has come. What comes again is told apart."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[int, int], _Lane[T]] = {}

    def has_come(self, place: Place) -> bool:
        """Whether something stands at a place that has come before."""
        lane = self._lanes.get((place.sender, place.lane))
        return lane is not None and (place.number < lane.next or place.number in lane.early)

    def is_over(self, place: Place) -> bool:
        """Whether it has been the turn of a place."""
        lane = self._lanes.get((place.sender, place.lane))
        return lane is not None and place.number < lane.next

    def is_due(self, place: Place) -> bool:
        """Whether all that stands before a place has come."""
        lane = self._lanes.get((place.sender, place.lane))
        return place.number == (0 if lane is None else lane.next)

    def take_turn(self, place: Place) -> bool:
        """Let a place have come if it is its turn and nothing is kept for the time after it; whether that is so."""
        lane = self._lanes.get((place.sender, place.lane))
        if lane is None or lane.early or place.number != lane.next:
            return False
        lane.next += 1
        return True

    def arrive(self, place: Place, item: T) -> list[T]:
        """Take in what has not had its turn, instead of what is kept for that; gives what is due now, in its order."""
        lane = self._lanes.setdefault((place.sender, place.lane), _Lane())
        if place.number != lane.next:
            lane.early[place.number] = item
            return []
        due = [item]
        lane.next += 1
        while lane.early and lane.next in lane.early:
            due.append(lane.early.pop(lane.next))
            lane.next += 1
        return due
