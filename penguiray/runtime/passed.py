"""What a stage in the middle of a straight flow has finished, for who asks what is in whose hands."""

from __future__ import annotations

from penguiray.clock import Clock

__all__ = ["Passed"]

_KEEP_S = 1.0
"""How long it is kept at least, in seconds, unless too many come: replicas take milliseconds to say what they hold."""
_MOST = 6_000
"""After so many messages those before them are forgotten. Twice as many make no report that has a replica wait."""


class Passed:
    """Messages that went on to the next stage, which need not be told: what comes of them says as much.

    While replicas say one after the other what they hold, a message that moves may be named by none. Only then it has
    to be known where it was lately; see `Roots.missing`. One that waited here for long before it moved may be forgotten
    by then: if that happens to it twice, it is sent again without need, and what is done twice is told once.
    """

    __slots__ = ("_clock", "_ids", "_older", "_roots", "_since")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.now()
        self._roots: list[int] = []
        self._ids: list[int] = []
        self._older: tuple[list[int], list[int]] = [], []

    def note(self, roots: list[int], ids: list[int]) -> None:
        """Messages of these roots are finished."""
        now = self._clock.now()
        if now - self._since > _KEEP_S or len(self._ids) > _MOST:
            self._older = self._roots, self._ids
            self._roots, self._ids, self._since = [], [], now
        self._roots += roots
        self._ids += ids

    def take(self) -> tuple[list[int], list[int]]:
        """Roots and ids of those that were finished lately, unless they were taken before."""
        roots, ids = self._older
        found = roots + self._roots, ids + self._ids
        self._roots, self._ids, self._older = [], [], ([], [])
        return found
