"""Which asks are taken in, and which are refused at once, since working on them would help nobody. Pure."""

from __future__ import annotations

from typing import NamedTuple

from penguiray.draw.amounts import in_seconds
from penguiray.errors import Overloaded
from penguiray.ingress.waits import Waits
from penguiray.link.message import Facts

__all__ = ["Admission", "most_asks"]

_SHARE_OF_TIMEOUT = 0.9
"""What an ask may be expected to take of its time; the rest is for chance. Larger admits more that end too late."""


def most_asks(priority: str, max_asks: int) -> int:
    """How many asks may be under way with another one of this priority: all, nine tenths, or half of `max_asks`."""
    if priority == "high":
        return max_asks
    return max_asks - max_asks // 10 if priority == "normal" else max_asks - max_asks // 2


class _Timed(NamedTuple):
    """An ask with a time-out, as it began."""

    waits: Waits
    found: int
    begun: float
    timeout_s: float


class Admission:
    """The asks of one process that are under way. They are never made to wait here: each is admitted or refused.

    One is refused if there are too many, or if its time-out is known to be too short; never while nothing is under way.
    Of asks without a time-out nothing is kept but their number.
    """

    __slots__ = ("_asks", "_most", "_run", "_waits")

    def __init__(self, run: str, max_asks: int) -> None:
        """Nothing is under way; the name of the run is for errors."""
        self._run = run
        self._most = max_asks
        self._asks: dict[int, _Timed | None] = {}
        self._waits: dict[str, Waits] = {}

    def __contains__(self, call: object) -> bool:
        return call in self._asks

    def __len__(self) -> int:
        return len(self._asks)

    def admit(self, call: int, facts: Facts | None, under_way: int, now: float) -> Overloaded | None:
        """Take an ask in; gives why not if it is refused.

        Args:
            call: Number of its call.
            facts: What its caller said.
            under_way: Inputs of all calls that are not done.
            now: The time.
        """
        priority = "normal" if facts is None else facts.priority
        if len(self._asks) >= most_asks(priority, self._most):
            return self._too_many(priority)
        if facts is None or facts.deadline is None:
            self._asks[call] = None
            return None
        timeout_s = facts.deadline - now
        waits = self._waits.setdefault(priority, Waits())
        if under_way:
            expected_s = waits.expected_s(under_way, timeout_s, now)
            if expected_s > _SHARE_OF_TIMEOUT * timeout_s:
                return self._too_slow(expected_s, timeout_s)
        self._asks[call] = _Timed(waits, under_way, now, timeout_s)
        return None

    def end(self, call: int, now: float, *, has_expired: bool) -> None:
        """An ask has ended, in whichever way; one that has expired would have taken longer than it might."""
        ask = self._asks.pop(call, None)
        if ask is not None:
            took_s = now - ask.begun
            if has_expired:
                took_s = max(took_s, ask.timeout_s)
            ask.waits.note(found=ask.found, took_s=took_s, timeout_s=ask.timeout_s, now=now)

    def clear(self) -> None:
        """All have ended."""
        self._asks.clear()

    def _too_many(self, priority: str) -> Overloaded:
        count = len(self._asks)
        return Overloaded(
            f"run {self._run!r}: {count:,} asks are under way, so no more of priority {priority!r} are taken; nothing "
            f"was sent, and it may be tried again later. Ask less at once, use run.map() or run.send(), which wait, or "
            f"raise max_asks={self._most:,} of the flow's options",
            run=self._run,
            asks=count,
        )

    def _too_slow(self, expected_s: float, timeout_s: float) -> Overloaded:
        return Overloaded(
            f"run {self._run!r}: asks that found as much under way took {in_seconds(expected_s)} lately, and this one "
            f"has {in_seconds(timeout_s)}; nothing was sent, and it may be tried again later. Give more time, or more "
            f"replicas to the node that is busiest in run.status()",
            run=self._run,
            asks=len(self._asks),
            expected_s=expected_s,
        )
