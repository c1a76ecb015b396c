"""When a batch is cut: full, old enough, or with nothing more to come. Pure."""

from __future__ import annotations

from penguiray.graph.policies import Batch
from penguiray.link.ids import call_of
from penguiray.link.message import MessageQueue, Messages

__all__ = ["Batcher"]

_LAST_WAIT_S = 0.01
"""Wait of a batch once the input of all its members has ended; the rest may still be on its way through the flow."""


class Batcher:
    """Gathers messages, and says when and how many to hand over."""

    __slots__ = ("_ended", "_policy", "_since", "_waiting")

    def __init__(self, policy: Batch) -> None:
        self._policy = policy
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
        return max(0.0, self._since[0] + longest - now)

    def cut(self) -> Messages:
        """Hand over the oldest messages, a full batch at most."""
        size = self._policy.max_size
        del self._since[:size]
        return self._waiting.take(size)
