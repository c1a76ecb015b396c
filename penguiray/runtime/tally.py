"""How some calls have ended, and whether others end in another way: means, and how sure they are. Pure."""

from __future__ import annotations

from math import sqrt
from typing import Literal

__all__ = ["Outcome", "Tally"]

Outcome = Literal["done", "failed", "late"]
"""How a call ended: well, with an error, or by a time-out."""

_SURE = 2.5
"""Standard errors that a difference must have to be one: of those that are none, 1 % are taken for one. Larger is
surer, and needs more calls to see what is there."""


class Tally:
    """Calls that have ended. Of one that did not end well, the time says nothing, and is not counted."""

    __slots__ = ("_done", "_in_flight", "_skips", "_squares", "_total_s", "count", "late")

    def __init__(self, *, skips: int = 0) -> None:
        """Begin with none, and leave so many out first."""
        self._skips = skips
        self._done = self._in_flight = self._total_s = self._squares = 0.0
        self.count = 0.0
        """Calls that have ended; a fraction is what is left of calls that fade."""
        self.late = 0.0
        """Those among them that ended by a time-out."""

    def add(self, round_trip_s: float, in_flight: int, outcome: Outcome) -> None:
        """A call has ended: how long it took, with how many under way, itself included, and how."""
        if self._skips > 0:
            self._skips -= 1
            return
        self.count += 1
        self.late += outcome == "late"
        if outcome == "done":
            self._done += 1
            self._in_flight += in_flight
            self._total_s += round_trip_s
            self._squares += round_trip_s * round_trip_s

    def merge(self, later: Tally, most: float) -> None:
        """Add calls that have ended since, and have these count as no more than so many."""
        share = min(1.0, most / self.count) if self.count else 1.0
        for name in ("_done", "_in_flight", "_squares", "_total_s", "count", "late"):
            setattr(self, name, getattr(self, name) * share + getattr(later, name))

    @property
    def has_times(self) -> bool:
        """Whether any call ended well."""
        return self._done > 0

    @property
    def mean_s(self) -> float:
        """Mean time of those that ended well, of which there must be one."""
        return self._total_s / self._done

    @property
    def in_flight(self) -> float:
        """Mean number of calls under way with those that ended well."""
        return self._in_flight / self._done

    def surely_longer(self, other: Tally, times: float) -> bool:
        """Whether these take surely more than so many times as long as others; False if nobody can say."""
        if not self.has_times or not other.has_times:
            return False
        return self.mean_s > times * other.mean_s + _SURE * sqrt(self._error_squared + other._error_squared)

    def surely_fail_more(self, other: Tally) -> bool:
        """Whether a larger share of these than of others surely does not end well; False if nobody can say."""
        if not self.count or not other.count:
            return False
        pooled = (self._ill + other._ill) / (self.count + other.count)
        error = sqrt(pooled * (1 - pooled) * (1 / self.count + 1 / other.count))
        return self._ill / self.count - other._ill / other.count > _SURE * error

    @property
    def _ill(self) -> float:
        return max(0.0, self.count - self._done)

    @property
    def _error_squared(self) -> float:
        """Square of the standard error of the mean time."""
        return max(0.0, self._squares / self._done - self.mean_s**2) / self._done
