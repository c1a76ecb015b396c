"""Reports of replicas in the order in which they were given, where two calls bring them and either may be first."""

from __future__ import annotations

from typing import Generic, TypeVar

from penguiray.link.frame import LinkId
from penguiray.link.order import InOrder, Place

__all__ = ["InTurn"]

T = TypeVar("T")


class InTurn(Generic[T]):
    """Keeps what comes too early. Its owner's lock guards it."""

    def __init__(self) -> None:
        """Nothing has come."""
        self._orders: dict[LinkId, InOrder[T]] = {}

    def due(self, link: LinkId, number: int, item: T) -> list[T]:
        """What may be taken in now that a report of that number has come; one that was due before is so again."""
        if not number:  # this process attached, and has one at a time
            return [item]
        order = self._orders.get(link)
        if order is None:
            order = self._orders[link] = InOrder()
        place = Place(0, 0, number - 1)
        return [item] if order.take_turn(place) or order.is_over(place) else order.arrive(place, item)

    def forget(self, link: LinkId) -> None:
        """Another replica is in the place of one, and begins anew."""
        self._orders.pop(link, None)
