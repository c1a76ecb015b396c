"""When a batch is cut: full, old enough, with nothing more to come, or while a member's deadline can be kept. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from penguiray.link.ids import call_of
from penguiray.link.message import MessageQueue, Messages
from penguiray.runtime.call_time import CallTime

__all__ = ["BatchPolicy", "Batcher"]

_LAST_WAIT_S = 0.01
"""Wait of a batch once the input of all its members has ended; the rest may still be on its way through the flow."""


_SHARE_OF_PATIENCE = 0.5
"""What a call may take of the time until a member's deadline; the rest is for the nodes behind it, and for chance."""


class BatchPolicy(Protocol):
    """How large batches are, and how long they are waited for: fixed (`pr.Batch`), or found while the node works."""

    @property
    def max_size(self) -> int:
        """Most messages in the next batch."""
        ...

    @property
    def max_wait_s(self) -> float:
        """Longest wait of a message for others to join it, in seconds."""
        ...


class Batcher:
    """Gathers messages, and says when and how many to hand over."""

    __slots__ = ("_call_time", "_ended", "_policy", "_since", "_waiting")

    def __init__(self, policy: BatchPolicy, call_time: CallTime | None = None) -> None:
        """Begin empty.

        Args:
            policy: How large, and how late.
            call_time: Predicts what calls take, where batches are to keep the deadlines of their members.
        """
        self._policy = policy
        self._call_time = call_time
        self._waiting = MessageQueue()
        self._since: list[float] = []
        self._ended: set[int] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def ids(self) -> list[int]:
        """Ids of the messages that wait."""
        return self._waiting.ids

    @property
    def room(self) -> int:
        """Messages that are still wanted for a full batch."""
        return max(0, self._policy.max_size - len(self))

    def add(self, messages: Messages, now: float) -> None:
        """Gather messages that came in now."""
        self._waiting.extend(messages)
        self._since += [now] * len(messages)

    def end(self, call: int) -> None:
        """The call's input has ended: its messages need not wait long for others."""
        self._ended.add(call)

    def forget(self, call: int) -> None:
        """The call is over."""
        self._ended.discard(call)

    def wait_s(self, now: float) -> float | None:
        """Seconds until a batch is due, 0 if it is, None if nothing waits."""
        if not len(self):
            return None
        if len(self) >= self._policy.max_size:
            return 0.0
        longest = self._policy.max_wait_s
        if self._ended and all(call_of(root) in self._ended for root in self._waiting.roots):
            longest = min(longest, _LAST_WAIT_S)
        due = min(self._since[0] + longest, self._latest_start(now))
        return max(0.0, due - now)

    def take_out(self, is_late: Callable[[float], bool]) -> Messages | None:
        """Hand over the messages whose deadlines are too near for any batch; None if there are none."""
        deadlines = self._waiting.deadlines(len(self))
        late = [place for place, deadline in enumerate(deadlines) if deadline < math.inf and is_late(deadline)]
        if not late:
            return None
        waiting, since = self._waiting.take(len(self)), self._since
        kept = sorted({*range(len(waiting))}.difference(late))
        self._waiting.extend(waiting.pick(kept))
        self._since = [since[place] for place in kept]
        return waiting.pick(late)

    def cut(self, now: float) -> Messages:
        """Hand over the oldest messages: a full batch at most, and no more than keeps its members' deadlines."""
        size = self._in_time(min(len(self), self._policy.max_size), now)
        del self._since[:size]
        return self._waiting.take(size)

    def _latest_start(self, now: float) -> float:
        """When a call with all that waits must begin to keep the earliest deadline; infinity if there is none."""
        if self._call_time is None:
            return math.inf
        earliest = min(self._keepable(self._waiting.deadlines(len(self)), now), default=math.inf)
        return earliest - self._patience_for(len(self))

    def _in_time(self, size: int, now: float) -> int:
        """How many of the oldest messages go together so that each has its answer in time, if it can at all."""
        deadlines = [] if self._call_time is None else self._waiting.deadlines(size)
        earliest = math.inf
        for place, deadline in enumerate(self._keepable(deadlines, now), 1):
            earliest = min(earliest, deadline)
            if now + self._patience_for(place + 1) > earliest:
                return place
        return size

    def _keepable(self, deadlines: Sequence[float], now: float) -> Sequence[float]:
        """Deadlines, with infinity for those that even a call of its own would miss: they hold up nobody else."""
        soonest = now + (self._call_time.seconds(1) if self._call_time is not None else 0.0)
        return [deadline if deadline >= soonest else math.inf for deadline in deadlines]

    def _patience_for(self, size: int) -> float:
        """Seconds that a member should have left when a call of so many begins."""
        return 0.0 if self._call_time is None else self._call_time.seconds(size) / _SHARE_OF_PATIENCE
