"""Which inputs are sent again after a loss, and which are given up on because replicas die of them. Pure.

Most processes die of something else, so what was lost once is sent again as it was. What was lost twice is a suspect:
it is worked on alone, and the caller's side knows when. One of which three replicas died while they were at it is given
up on.

Losses of replicas are numbered, in the order in which the caller's side hears of them. A search covers those that all
replicas had heard of before it began. What it finds may have been lost before it was sent again; that says nothing
about the input.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

__all__ = ["DEATHS", "Replays"]

DEATHS = 3
"""Replicas that died while they were at a suspect, after which it is given up on."""


class Replays:
    """Inputs that were lost and are not done yet."""

    __slots__ = ("_deaths", "_sent", "suspects")

    def __init__(self) -> None:
        self._sent: dict[int, int] = {}
        self._deaths: dict[int, int] = {}
        self.suspects: set[int] = set()
        """Those that were lost twice."""

    def blame(self, root: int) -> None:
        """A replica died while it was at this suspect."""
        self._deaths[root] = self._deaths.get(root, 0) + 1

    def lose(self, roots: Iterable[int], *, covered: int | None, losses: int) -> tuple[list[int], list[int]]:
        """Inputs were found to be lost.

        Args:
            roots: The inputs.
            covered: The number of losses that the search covered; None if not all have answered, so that only what
                was not sent again before is sent now.
            losses: How many there were until now.

        Returns:
            Those to send again, and those to give up on.
        """
        again: list[int] = []
        dead: list[int] = []
        for root in roots:
            before = self._sent.get(root)
            if before is not None and covered is None:
                continue
            if self._deaths.get(root, 0) >= DEATHS:
                dead.append(root)
                continue
            if before is not None and covered is not None and covered > before:
                self.suspects.add(root)
            self._sent[root] = losses
            again.append(root)
        return again, dead

    def rename(self, root: int, anew: int) -> None:
        """An input goes on under another root."""
        for known in (self._sent, self._deaths):
            if root in known:
                known[anew] = known.pop(root)
        if root in self.suspects:
            self.suspects.remove(root)
            self.suspects.add(anew)

    def settle(self, live: Container[int]) -> None:
        """Forget inputs that are done."""
        self._sent = {root: losses for root, losses in self._sent.items() if root in live}
        self._deaths = {root: deaths for root, deaths in self._deaths.items() if root in live}
        self.suspects = {root for root in self.suspects if root in live}
