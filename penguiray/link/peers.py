"""What the replicas of a run are told about each other's losses, and what they answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from penguiray.link.frame import LinkId

__all__ = ["Held", "PeerNews", "Peers", "epoch_of"]

PeerNews = tuple[int, LinkId, Any, tuple[int, ...]]
"""Number of the word among all about this run's losses; a replica; who is in its place now, None: nobody; and the
epochs of all that were in its place before, of which nothing is taken any more."""

Held = tuple[int, list[int]]
"""How many reports of a replica tell of all that it has finished lately, and the ids of the messages that it holds."""


def epoch_of(run: int, link: LinkId, generation: int) -> int:
    """Epoch of what a replica sends, the how manyth in its place, from 0; no other one of the run has it."""
    return run + 1 + (link.stage << 40 | link.replica << 20 | generation)


class Peers:
    """What one replica has heard."""

    __slots__ = ("_heard", "gone")

    def __init__(self) -> None:
        self._heard: dict[LinkId, int] = {}
        self.gone: set[int] = set()
        """Epochs of replicas that were replaced: what such a one still sends is refused."""

    def heard_of(self, link: LinkId) -> int:
        """Number of the last word about a replica; 0 if there was none."""
        return self._heard.get(link, 0)

    def new(self, news: Iterable[PeerNews]) -> Iterator[tuple[LinkId, Any]]:
        """Who is where now, of all that was not heard yet: words may overtake each other, and come again."""
        for number, link, place, gone in news:
            self.gone.update(gone)
            if number > self._heard.get(link, 0):
                self._heard[link] = number
                yield link, place
