"""When a batch is cut: full, old enough, or with nothing more to come. Pure."""

from __future__ import annotations

from penguiray.graph.policies import Batch
from penguiray.link.ids import call_of
from penguiray.link.message import Facts, Messages

__all__ = ["Batcher"]

_LAST_WAIT_S = 0.01
"""Wait of a batch once the input of all its members has ended; the rest may still be on its way through the flow."""


class Batcher:
    """Gathers messages, and says when and how many to hand over."""

    __slots__ = ("_ended", "_facts", "_ids", "_policy", "_roots", "_since", "_values")

    def __init__(self, policy: Batch) -> None:
        self._policy = policy
        self._roots: list[int] = []
        self._ids: list[int] = []
        self._values: list[object] = []
        self._since: list[float] = []
        self._facts: dict[int, Facts] = {}
        self._ended: set[int] = set()

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def room(self) -> int:
        """Messages that are still wanted for a full batch."""
        return max(0, self._policy.max_size - len(self._ids))

    def add(self, messages: Messages, now: float) -> None:
        """Gather messages that came in now."""
        self._roots += messages.roots
        self._ids += messages.ids
        self._values += messages.values
        self._since += [now] * len(messages)
        self._facts.update({root: messages.facts[root] for root in messages.roots if root in messages.facts})

    def end(self, call: int) -> None:
        """The call's input has ended: its messages need not wait long for others."""
        self._ended.add(call)

    def forget(self, call: int) -> None:
        """The call is over."""
        self._ended.discard(call)

    def wait_s(self, now: float) -> float | None:
        """Seconds until a batch is due, 0 if it is, None if nothing waits."""
        if not self._ids:
            return None
        if len(self._ids) >= self._policy.max_size:
            return 0.0
        longest = self._policy.max_wait_s
        if self._ended and all(call_of(root) in self._ended for root in self._roots):
            longest = min(longest, _LAST_WAIT_S)
        return max(0.0, self._since[0] + longest - now)

    def cut(self) -> Messages:
        """Hand over the oldest messages, a full batch at most."""
        size = self._policy.max_size
        batch = Messages(self._roots[:size], self._ids[:size], self._values[:size])
        del self._roots[:size], self._ids[:size], self._values[:size], self._since[:size]
        if self._facts:
            batch.facts = {root: self._facts[root] for root in batch.roots if root in self._facts}
            waiting = set(self._roots)
            self._facts = {root: facts for root, facts in self._facts.items() if root in waiting}
        return batch
