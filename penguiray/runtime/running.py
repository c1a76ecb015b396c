"""Which calls of a node are under way in a replica, for whoever looks in from another thread.

A call is noted by one entry, a column of a slice by one assignment: how far it has come is read off its iterator.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import length_hint
from typing import Any, Protocol

from penguiray.clock import Clock
from penguiray.link.ids import trace_id_of
from penguiray.link.message import Facts, Messages
from penguiray.link.running import RunningCall

__all__ = ["RunningCalls"]

_MOST = 8
"""Calls that are told at a look, the longest first. More of one node would say nothing new."""


class Begun(Protocol):
    """What a call is about."""

    root: int
    message_id: int
    value: Any
    facts: Facts | None


class RunningCalls:
    """The calls of one node in one replica. Noted where they run; looked at from any one thread."""

    __slots__ = ("_calls", "_clock", "_column", "_epoch", "_is_batch", "_node", "_place", "_place_since")

    def __init__(self, node: str, *, is_batch: bool, epoch: int, clock: Clock) -> None:
        self._node = node
        self._is_batch = is_batch
        self._epoch = epoch
        self._clock = clock
        self._calls: dict[int, tuple[float, Begun]] = {}
        self._column: tuple[Messages, Iterator[Any], float] | None = None
        self._place: tuple[Iterator[Any], int] | None = None
        self._place_since = 0.0

    def begin(self, call: Begun) -> None:
        """A call begins."""
        self._calls[id(call)] = self._clock.now(), call

    def end(self, call: Begun) -> None:
        """It has ended, in whichever way."""
        self._calls.pop(id(call), None)

    def begin_column(self, messages: Messages, rest: Iterator[Any]) -> None:
        """Calls begin, one after the other, each when something is taken from the list's iterator."""
        self._column = messages, rest, self._clock.now()

    def end_column(self) -> None:
        """All of them have ended."""
        self._column = None

    def look(self) -> list[RunningCall]:
        """The calls that are under way, the longest first and at most 8."""
        now = self._clock.now()
        calls = sorted(self._calls.copy().values(), key=lambda one: one[0])[:_MOST]
        seen = [self._told(call.root, call.message_id, call.facts, self._size(call), now - at) for at, call in calls]
        column = self._column
        if column is not None:
            seen.append(self._look_at(*column, now))
        return seen

    def _look_at(self, messages: Messages, rest: Iterator[Any], begun: float, now: float) -> RunningCall:
        """The call that a column has come to, and since when: its first began then, others when first seen."""
        place = min(max(0, len(messages) - length_hint(rest) - 1), len(messages) - 1)
        if self._place is None or self._place[0] is not rest or self._place[1] != place:
            self._place = rest, place
            self._place_since = begun if place == 0 else now
        root = messages.roots[place]
        facts = messages.facts.get(root) if messages.facts else None
        return self._told(root, messages.ids[place], facts, 1, now - self._place_since)

    def _size(self, call: Begun) -> int:
        return len(call.value) if self._is_batch else 1

    def _told(self, root: int, message_id: int, facts: Facts | None, size: int, age_s: float) -> RunningCall:
        trace_id = (facts.trace_id if facts else "") or trace_id_of(self._epoch, root)
        return RunningCall(self._node, message_id, trace_id, size, age_s)
