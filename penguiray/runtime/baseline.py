"""What calls take with few under way, and when it is time to see that again. Pure."""

from __future__ import annotations

from penguiray.runtime.tally import Outcome, Tally

__all__ = ["LEAST_SEEN", "SETTLING", "Baseline"]

LEAST_SEEN = 16
"""Calls that have to be looked at to say anything. More is surer, fewer answers sooner where calls are few."""
SETTLING = 3
"""After their number has jumped, as many calls end as are under way, so many times, before they are looked at: of calls
that begin together the short ones end first, so the mean of the first is too low. By then it is 3 % too low for times
that are spread exponentially. More is truer, and makes probes longer."""
_PROBE_EVERY = 80
"""Judgements between two probes. A probe takes about 4 round trips at a quarter of the pace, so all of them cost 4 % of
it where a judgement takes one round trip. Fewer notices sooner that a service has become quicker."""
_FIRST_PROBE = 2
"""Judgements before the first probe: what calls took at the start may have been the time of a full service."""
_FALLEN = 0.75
"""A limit that has fallen below this share since the last probe asks for another one: if the service has become slower,
and is not full, it would fall on and on. Nearer to 1 falls less, and probes more."""
_OTHER = 1.1
"""A probe that surely finds calls so many times as long, or as short, forgets what was known before."""
_KEPT = 100.0
"""Calls that what was known before counts for at most, beside a new probe. More is less random, fewer follow sooner."""


class Baseline:
    """Calls with few under way: those of probes, and those of times when there are no more."""

    __slots__ = ("_doubts", "_limit", "_low", "_until_probe", "calls", "is_probing")

    def __init__(self, limit: float) -> None:
        """Begin with nothing known, under this limit."""
        self.calls = Tally()
        """What all others are measured by."""
        self.is_probing = False
        """Whether few are to be under way until enough of them have ended."""
        self._limit = limit
        self._low = Tally()
        self._until_probe = _FIRST_PROBE
        self._doubts = False

    def add(self, round_trip_s: float, in_flight: int, outcome: Outcome, *, few: int, limit: float) -> bool:
        """A call has ended with few under way; returns whether it was the last of a probe."""
        self._low.add(round_trip_s, in_flight, outcome)
        if self._low.count < max(LEAST_SEEN, few):
            return False
        low, self._low = self._low, Tally()
        is_other = self._is_other(low)
        if is_other or self._doubts:
            self.calls = low
        else:
            self.calls.merge(low, _KEPT)
        self._until_probe = 1 if is_other else _PROBE_EVERY
        self._limit, self._doubts = limit, False
        was_probing, self.is_probing = self.is_probing, False
        return was_probing

    def _is_other(self, low: Tally) -> bool:
        known = self.calls
        return (
            low.surely_longer(known, _OTHER)
            or known.surely_longer(low, _OTHER)
            or low.surely_fail_more(known)
            or known.surely_fail_more(low)
        )

    def on_judged(self, limit: float, *, few: int, is_odd: bool) -> None:
        """The limit was judged.

        Args:
            limit: What it is now.
            few: Calls that may be under way in a probe.
            is_odd: Whether something was seen that what is known does not explain.
        """
        self._until_probe -= 1
        self._doubts = is_odd or limit < _FALLEN * self._limit
        if self._doubts or self._until_probe <= 0:
            self.is_probing = True
            self._low = Tally(skips=SETTLING * few)
