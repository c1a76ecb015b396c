"""For how long a process stood still lately, by how late it got its turn. Pure."""

from __future__ import annotations

from penguiray.link.depth import QUICK_S

__all__ = ["Absence"]

_MOST_S = 1.0
"""Longer ones count as that: nobody wants to send ahead what takes longer."""
_REMEMBERED = 100.0
"""An absence is remembered for so many times its length: a hiccup of 10 ms for a second, and a third of a second, which
a large collection of garbage takes, for half a minute."""


class Absence:
    """The longest one of those that are remembered."""

    __slots__ = ("_until", "lately_s")

    def __init__(self) -> None:
        """There was none."""
        self.lately_s = 0.0
        """How long it was, in seconds; 0 if the process always got its turn in time."""
        self._until = 0.0

    def note(self, late_s: float, now: float) -> None:
        """The process got its turn so much later than it was due, in seconds. One at least half as long renews it."""
        late_s = min(late_s, _MOST_S)
        if late_s > QUICK_S and late_s >= self.lately_s / 2:
            self.lately_s = max(self.lately_s, late_s)
            self._until = now + _REMEMBERED * late_s
        elif now > self._until:
            self.lately_s = 0.0
