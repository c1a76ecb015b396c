"""Which inputs are sent again after a loss, when, and which are given up on because replicas die of them. Pure.

Most processes die of something else, so what was lost once is sent again at once. Who was lost twice is a suspect:
suspects are sent again in small groups, and the members of a group of which something was lost one at a time. Who was
alone three times when a replica died is given up on. So a crowd of innocent ones is through soon, and the one of which
replicas die costs six of them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

__all__ = ["ALONE", "GROUP", "Replays"]

ALONE = 3
"""Deaths of a replica with only this suspect under way, after which it is given up on."""
GROUP = 16
"""Suspects that are sent again together."""


class Replays:
    """Inputs that were lost and are not done yet.

    Losses of replicas are numbered, in the order in which the caller's side hears of them. A search covers those that
    all replicas had heard of before it began. What it finds may have been lost before it was sent again; that says
    nothing about the input.
    """

    __slots__ = ("_alone", "_current", "_deaths", "_groups", "_sent")

    def __init__(self) -> None:
        self._sent: dict[int, int] = {}
        self._groups: dict[int, None] = {}
        self._alone: dict[int, None] = {}
        self._deaths: dict[int, int] = {}
        self._current: set[int] = set()

    def lose(self, roots: Iterable[int], *, covered: int | None, losses: int) -> tuple[list[int], list[int]]:
        """Inputs were found to be lost.

        Those that wait to be sent again are under way nowhere, so they are found once more, which says nothing.

        Args:
            roots: The inputs.
            covered: The number of losses that the search covered; None if not all have answered, so that only what
                was not sent again before is sent now.
            losses: How many there were until now.

        Returns:
            Those to send again now, and those to give up on.
        """
        again: list[int] = []
        dead: list[int] = []
        were_several = len(self._current) > 1
        for root in roots:
            if root in self._groups or root in self._alone:
                continue
            if root not in self._sent or (covered is not None and covered <= self._sent[root]):
                self._sent[root] = losses
                again.append(root)
            elif covered is None:
                continue
            elif root not in self._current:
                self._groups[root] = None
            else:
                self._current.discard(root)
                self._deaths[root] = self._deaths.get(root, 0) + (not were_several)
                if self._deaths[root] >= ALONE:
                    self._forget(root)
                    dead.append(root)
                else:
                    self._alone[root] = None
        return again, dead

    def next(self, live: Container[int], *, losses: int) -> list[int]:
        """What to send again now, given which inputs are not done: the next suspects, if none are under way."""
        for root in [root for root in self._current if root not in live]:
            self._current.discard(root)
            self._forget(root)
        if self._current:
            return []
        self._take(self._groups, GROUP, live)
        if not self._current:
            self._take(self._alone, 1, live)
        self._sent.update(dict.fromkeys(self._current, losses))
        return sorted(self._current)

    def _take(self, line: dict[int, None], most: int, live: Container[int]) -> None:
        while line and len(self._current) < most:
            root = next(iter(line))
            del line[root]
            if root in live:
                self._current.add(root)
            else:
                self._forget(root)

    def settle(self, live: Container[int]) -> None:
        """Forget inputs that are done."""
        self._sent = {root: losses for root, losses in self._sent.items() if root in live}
        self._deaths = {root: deaths for root, deaths in self._deaths.items() if root in live}

    @property
    def waits(self) -> bool:
        """Whether suspects are under way, or in line."""
        return bool(self._current or self._groups or self._alone)

    def _forget(self, root: int) -> None:
        self._sent.pop(root, None)
        self._deaths.pop(root, None)
