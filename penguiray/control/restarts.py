"""Whether a replica that was lost is replaced, or the run ends. Pure.

A replica may be lost any number of times as long as the run gets on between two losses, or much time passes. One whose
successors are lost one after the other, with no input done in between, is not worth another one.
"""

from __future__ import annotations

from penguiray.link.frame import LinkId

__all__ = ["FORGET_S", "LONGEST_PAUSE_S", "MOST_IN_A_ROW", "Restarts"]

MOST_IN_A_ROW = 10
"""Losses of one replica and its successors, with no input of the run done in between, after which the run ends."""
FORGET_S = 60.0
"""A successor that lived for so long was worth it."""
LONGEST_PAUSE_S = 30.0
"""Longest pause before a successor is created, when those before it did not start; the first one is half a second."""


class Restarts:
    """Counts the losses of each replica."""

    __slots__ = ("_failed", "_last", "_row")

    def __init__(self) -> None:
        self._row: dict[LinkId, int] = {}
        self._last: dict[LinkId, tuple[int, float]] = {}
        self._failed: dict[LinkId, int] = {}

    def may_replace(self, replica: LinkId, inputs_done: int, now: float) -> bool:
        """A replica was lost, when so many inputs of the run were done."""
        done, when = self._last.get(replica, (-1, now))
        if done != inputs_done or now - when > FORGET_S:
            self._row[replica] = 0
        self._last[replica] = inputs_done, now
        self._row[replica] += 1
        return self._row[replica] <= MOST_IN_A_ROW

    def note_start(self, replica: LinkId, *, failed: bool) -> None:
        """A successor of a replica has started, or did not."""
        self._failed[replica] = self._failed.get(replica, 0) + 1 if failed else 0

    def pause_s(self, replica: LinkId) -> float:
        """How long to wait before the next one is created."""
        failed = self._failed.get(replica, 0)
        return min(2.0 ** (failed - 2), LONGEST_PAUSE_S) if failed else 0.0
