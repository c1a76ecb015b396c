"""Which calls take much longer than a node's calls do, and whether one of those messages may be called again. Pure.

A second call is of use where few calls are slow, and by chance: another one of the same message is then most likely as
quick as most. Where a service is slow as a whole, second calls would only add to what it cannot do. So there are few in
any case, and none while many calls are slow.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

from penguiray.graph.policies import UNSET
from penguiray.graph.spec import NodeSpec

__all__ = ["MOST_SHARE", "Hedging", "why_not_hedged"]

MOST_SHARE = 0.05
"""Second calls that are earned by each first one. Larger bears with more stragglers, smaller costs the service less."""
_RESERVE = 5.0
"""Second calls that may be saved up, and that there are at first. Fewer are safer when all calls become slow."""
_QUANTILE, _TIMES = 0.9, 1.5
"""A straggler takes so many times as long as this share of calls. A higher share could not tell stragglers from what is
usual where one call in twenty is one. More times cost fewer second calls, fewer have a message wait less."""
_FLOOR_S = 0.01
"""No call is a straggler before: less is lost in what a busy loop is late by."""
_NEWEST, _LEAST = 128, 32
"""Calls that are looked at, and those that it takes to say anything. Fewer follow a change sooner, more are surer."""
_WEIGHT, _MOST_SLOW = 1 / 16, 0.25
"""Weight of the newest call in the share of those that were slow, and the share from which on a node is taken to be
slow as a whole: five stragglers in a row. Less is safer, more bears with stragglers that come together."""


def why_not_hedged(node: NodeSpec) -> str | None:
    """Why no message of a node is called a second time for being slow; None if it may be."""
    options = node.options
    if options.idempotent is UNSET:
        return "running twice is not free of effects, unless the node says idempotent=True"
    if not options.idempotent:
        return "the node says idempotent=False"
    if not node.signature.is_async:
        return "idempotent=True changes nothing for sync code: it cannot be ended, and would hold its thread"
    if node.signature.is_stream:
        return "idempotent=True changes nothing for a generator, whose messages leave as they are yielded"
    if options.batch:
        return "idempotent=True changes nothing for batches: how long one takes depends on its size"
    if options.delivery == "at_most_once":
        return "delivery='at_most_once' wants each message to be worked on once, whatever idempotent=True allows"
    return None


class Hedging:
    """Stragglers of one node in one replica. Keeps the times of 128 messages.

    Over any time, second calls are at most 5, and 5 % of the first calls that begin in it.

    Source: the hedged requests of J. Dean and L. Barroso, "The Tail at Scale", CACM 56(2), 2013; the budget is a token
    bucket as in gRPC's retry throttling (proposal A6).
    """

    __slots__ = ("_newest", "_ordered", "_slow", "_tokens")

    def __init__(self) -> None:
        self._newest: deque[float] = deque(maxlen=_NEWEST)
        self._ordered: list[float] = []
        self._slow = 0.0
        self._tokens = _RESERVE

    @property
    def after_s(self) -> float | None:
        """Seconds after which a call is a straggler; None while too few have ended to say."""
        if len(self._ordered) < _LEAST:
            return None
        return max(_FLOOR_S, _TIMES * self._ordered[int(_QUANTILE * len(self._ordered))])

    @property
    def may_hedge(self) -> bool:
        """Whether a straggler may be called a second time now."""
        return self._tokens >= 1.0 and self._slow <= _MOST_SLOW

    def begin(self) -> None:
        """The first call of an attempt begins."""
        self._tokens = min(_RESERVE, self._tokens + MOST_SHARE)

    def straggle(self) -> None:
        """A call under way has become a straggler; to be said once of an attempt."""
        self._slow += _WEIGHT * (1.0 - self._slow)

    def hedge(self) -> None:
        """A second call begins."""
        self._tokens -= 1.0

    def end(self, seconds: float, *, is_straggler: bool) -> None:
        """An attempt has ended well, by its first call or the second.

        Args:
            seconds: Since the first call began. If the second one was quicker, the first would have taken longer.
            is_straggler: Whether the first call had become one.
        """
        if not is_straggler:
            self._slow -= _WEIGHT * self._slow
        if len(self._newest) == _NEWEST:
            del self._ordered[bisect_left(self._ordered, self._newest[0])]
        self._newest.append(seconds)
        insort(self._ordered, seconds)
