"""How many calls of a node may begin now: an exact sliding window over what all its replicas have begun. Pure.

    replica 0                                    replica n
      RateWindow <-- ask(begun=3, want=5) --------  Permits: 3 calls have begun since, 5 wait for their turn
                 --- Grant(permits=2, waits_s) -->  2 begin; the other 3 know how long it takes at least

A permit counts from when it is given. Once its call is known to have begun it counts for `per_s` more. So a permit that
travels for long, or whose call begins late, never lets a window hold more than it may.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from penguiray.graph.policies import Rate

__all__ = ["Grant", "RateWindow"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a replica is told when it asks for permits."""

    permits: int
    """Calls that may begin."""
    waits_s: tuple[float, ...]
    """For each call that was wanted and not permitted: seconds that it has to wait, at least."""


class RateWindow:
    """Counts the calls of one node over all its replicas."""

    __slots__ = ("_begun", "_given", "_rate")

    def __init__(self, rate: Rate, *, full_at: float | None = None) -> None:
        """Begin with an empty window, or with one that was full at a time: who kept the count before was lost."""
        self._rate = rate
        self._begun: deque[float] = deque([] if full_at is None else [full_at] * rate.calls)
        self._given: dict[int, int] = {}

    def ask(self, *, begun: int, want: int, now: float, asker: int = 0) -> Grant:
        """Take note of what a replica has begun, and give it permits.

        Args:
            begun: Permits of its own whose calls it has begun, or will never begin, since it asked last.
            want: Calls that wait for a permit.
            now: The time of the one clock that the window goes by.
            asker: Number of the replica.
        """
        mine = max(0, self._given.get(asker, 0) - begun)  # what a lost predecessor gave was not given here
        self._begun.extend([now] * begun)
        while self._begun and self._begun[0] <= now - self._rate.per_s:
            self._begun.popleft()
        permits = max(0, min(want, self._rate.calls - mine - self._given_to_others(asker) - len(self._begun)))
        self._given[asker] = mine + permits
        return Grant(permits, tuple(self._soonest_s(place, now) for place in range(want - permits)))

    def lose(self, asker: int, now: float) -> None:
        """A replica was lost: the calls that it was permitted may have begun until now."""
        self._begun.extend([now] * self._given.pop(asker, 0))

    def _given_to_others(self, asker: int) -> int:
        return sum(given for number, given in self._given.items() if number != asker)

    def _soonest_s(self, place: int, now: float) -> float:
        """Seconds until the next permit (place 0), the one after it, and so on, if nobody else asks."""
        rounds, turn = divmod(place, self._rate.calls)
        first_s = self._begun[turn] + self._rate.per_s - now if turn < len(self._begun) else self._rate.per_s
        return first_s + rounds * self._rate.per_s
