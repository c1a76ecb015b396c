"""What an ask will take, from what others took lately that found as much under way. Pure.

Nothing is extrapolated. More under way never makes an ask quicker, so those that found less say what the next one takes
at least:

    found under way     9    17    18    18    19    20   |  24 are under way now
    took, in s        0.10  0.17  0.18  0.18  0.19  0.20  |  at least the median of those that found nearly as many

This needs to know neither how many calls the flow makes at a time, nor who else sends to it.
"""

from __future__ import annotations

from collections import deque
from heapq import nlargest
from statistics import median_low
from typing import NamedTuple

__all__ = ["Waits"]

_NEWEST = 64
"""Asks that are remembered. Fewer follow a change sooner, more reach further down when less is under way."""
_NEAREST = 8
"""Of these, so many decide: those that found the most under way, but no more than there is now."""
_LEAST = 5
"""Fewer say nothing."""
_FRESH_S = 1.0
"""What an ask took is believed for so long at least, and for as many times its own length."""
_FRESH_TIMES = 2.0
_ALIKE = 2.0
"""Asks with more than so many times the time-out are taken for another kind, which may well take longer."""


class _Seen(NamedTuple):
    found: int
    at: float
    took_s: float
    timeout_s: float


class Waits:
    """The newest asks with a time-out of one priority."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: deque[_Seen] = deque(maxlen=_NEWEST)

    def note(self, *, found: int, took_s: float, timeout_s: float, now: float) -> None:
        """An ask has ended.

        Args:
            found: Inputs that were under way when it began.
            took_s: What it took, in seconds; or would have taken at least.
            timeout_s: What it might have taken.
            now: When it ended.
        """
        self._seen.append(_Seen(found, now, took_s, timeout_s))

    def expected_s(self, under_way: int, timeout_s: float, now: float) -> float:
        """What an ask takes that begins now, in seconds; 0 while too little is known.

        Args:
            under_way: Inputs that it finds.
            timeout_s: What it may take.
            now: The time.
        """
        alike = [
            seen
            for seen in self._seen
            if seen.found <= under_way
            and seen.timeout_s <= _ALIKE * timeout_s
            and now - seen.at <= max(_FRESH_S, _FRESH_TIMES * seen.took_s)
        ]
        if len(alike) < _LEAST:
            return 0.0
        return median_low(seen.took_s for seen in nlargest(_NEAREST, alike))
