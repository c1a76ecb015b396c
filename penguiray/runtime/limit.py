"""How many calls of a node may be under way at the same time, found from how long they take. Pure.

A service that works on so many calls at a time lets others wait. Then `n` calls that take `r` each, and would take
`base` with few under way, are by Little's law `n * base / r` that are worked on. So the limit grows while calls take as
long as with few under way, and goes to that number when they take longer. From time to time it is a quarter for a
while, to see what calls take then: so a service that has become slower is not taken for a full one.
"""

from __future__ import annotations

from penguiray.runtime.baseline import LEAST_SEEN, SETTLING, Baseline
from penguiray.runtime.tally import Outcome, Tally

__all__ = ["MOST_CALLS", "GradientLimit"]

MOST_CALLS = 4_000
"""A limit grows to no more than this: so many tasks that wait cost a replica little. Less is safer for a service that
says neither by time nor by errors that it is full."""
_TOLERANCE = 1.08
"""Calls may take so many times as long as with few under way. Larger makes more of a service that slows down little by
little, and has more calls wait in one that is full."""
_STEP, _MOST_STEP, _FASTER = 0.04, 0.25, 1.1
"""Growth at a time, as a share of the limit: just after the service was full, at most, and how it grows itself."""
_BACK = 0.8
"""What is left of the limit when calls fail because of it. Nearer to 1 costs less pace, smaller fewer calls."""
_PATIENCE = 8
"""Round trips of calls that are looked at together while nobody can say whether they take longer. More is surer, and
fewer grow sooner where calls differ much."""


class GradientLimit:
    """The limit of one node in one replica: calls that have ended in, limit out.

    It begins where it is told, stays within 1 and 4,000, and does not grow while less than half of it is in use. Calls
    that fail or are late more often than with few under way make it smaller, and so does any time in which most are
    late; what fails as often with few under way does not. Each replica finds a limit of its own, and knows nothing of
    others that call the same service: beyond four they take more together than they should.

    Source: the gradient limit of Netflix's concurrency-limits, with probes as BBR has them (N. Cardwell et al., "BBR:
    Congestion-Based Congestion Control", ACM Queue 14(5), 2016). Gradient2 of the same project compares with a long
    mean instead: while there is always more to do, that follows the queue which it should notice.
    """

    __slots__ = ("_baseline", "_due", "_limit", "_seen", "_step", "_was_ill")

    def __init__(self, start: int) -> None:
        """Begin with so many calls at a time."""
        self._limit = float(start)
        self._step = _MOST_STEP
        self._baseline = Baseline(self._limit)
        self._due = self._round
        self._seen = Tally(skips=start)
        self._was_ill = False

    @property
    def size(self) -> int:
        """Calls that may be under way now."""
        return self._few if self.is_probing else int(self._limit)

    @property
    def is_probing(self) -> bool:
        """Whether it is a quarter for a while, to see what calls take then."""
        return self._baseline.is_probing

    @property
    def _few(self) -> int:
        return max(1, int(self._limit) // 4)

    @property
    def _round(self) -> int:
        """Calls that end in about a round trip of all, and enough to say something."""
        return max(LEAST_SEEN, int(self._limit))

    def on_end(self, round_trip_s: float, in_flight: int, outcome: Outcome) -> None:
        """A call has ended.

        Args:
            round_trip_s: How long it took, in seconds.
            in_flight: Calls that were under way with it, itself included: when it began or when it ended, whichever
                was more. A call that began under a higher limit says nothing of this one.
            outcome: How it ended. An error or a time-out counts, and how long it took does not.
        """
        baseline = self._baseline
        if in_flight <= self._few and baseline.add(round_trip_s, in_flight, outcome, few=self._few, limit=self._limit):
            self._look_again(skips=SETTLING * self._round)
        elif not self.is_probing and self._limit / 2 <= in_flight <= self._limit:
            self._seen.add(round_trip_s, in_flight, outcome)
            if self._seen.count >= self._due:
                self._judge()

    def _look_again(self, skips: int = 0) -> None:
        self._seen = Tally(skips=skips)
        self._due = self._round

    def _judge(self) -> None:
        """As many calls have ended as are under way: change the limit, or look longer."""
        seen, known = self._seen, self._baseline.calls
        if not known.count:
            known.merge(seen, seen.count)
            self._look_again()
            return
        is_ill = seen.late * 2 > seen.count or seen.surely_fail_more(known)
        if is_ill:
            self._shrink(self._limit * _BACK)
        elif seen.surely_longer(known, _TOLERANCE):
            worked_on = seen.in_flight * known.mean_s / seen.mean_s
            self._shrink(max(self._limit / 2, _TOLERANCE * worked_on + _STEP * self._limit))
        elif seen.has_times and known.has_times:
            if seen.mean_s <= _TOLERANCE * known.mean_s:
                self._grow()
            elif seen.count < _PATIENCE * self._round:
                self._due += self._round
                return
        is_odd = (is_ill and self._was_ill) or known.surely_longer(seen, _TOLERANCE)
        self._was_ill = is_ill
        self._baseline.on_judged(self._limit, few=self._few, is_odd=is_odd)
        self._look_again()

    def _grow(self) -> None:
        self._limit = min(float(MOST_CALLS), self._limit + max(1.0, self._limit * self._step))
        self._step = min(_MOST_STEP, self._step * _FASTER)

    def _shrink(self, limit: float) -> None:
        self._limit = max(1.0, min(self._limit, limit))
        self._step = _STEP
