"""How often a busy replica sends: so seldom that the sending is a small part of its work. Pure."""

from __future__ import annotations

__all__ = ["Pace"]

_WORK_PER_SEND = 10
"""Time for work between two sendings, in times of what the first of them took."""
_LONGEST_S = 0.02
"""Longest that something waits for more to go with it, in seconds."""


class Pace:
    """Says how long what a replica has given may wait for what it gives next, while it has more to do.

    A call of an actor costs the same for one message as for a hundred. What it costs differs between machines, and on
    one machine with its load, so it is measured and not assumed.
    """

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next sending is worth its price; 0 if it is."""
        return max(0.0, self._next - now)

    def sent(self, begun: float, ended: float) -> None:
        """Something was sent, from this time to that one."""
        self._next = ended + min(_WORK_PER_SEND * (ended - begun), _LONGEST_S)
