"""Messages of which replicas may die: given one at a time, each only once the caller's side knows that it begins.

    put(m1), put(m2)     begin(m1) is said at once, m2 waits
    known()          ->  m1       the caller's side has heard of it: it may be worked on now
    leave(m1)            begin(m2) is said

So when the replica dies, the caller's side knows which one it was at. Others go on beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from itertools import chain
from typing import Generic, TypeVar

from penguiray.runtime.keys import KeyGate

__all__ = ["Quarantine"]

W = TypeVar("W")
"""What waits."""

_ONE = 0
"""The key that all have, so that one of them is at work at a time."""


class Quarantine(Generic[W]):
    """The suspects of one replica."""

    def __init__(self, begin: Callable[[int, int], None]) -> None:
        """Nothing is suspected; `begin` has the caller's side told of a root and a message, and `known` is due then."""
        self._begin = begin
        self._gate: KeyGate[W] = KeyGate()
        self._told: tuple[int, int, W] | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._gate) + (self._told is not None)

    def put(self, root: int, message_id: int, waiting: W) -> None:
        """One more has come."""
        if self._gate.enter(root, message_id, _ONE):
            self._tell(root, message_id, waiting)
        else:
            self._gate.hold(root, message_id, _ONE, waiting)

    def _tell(self, root: int, message_id: int, waiting: W) -> None:
        self._told = root, message_id, waiting
        self._begin(root, message_id)

    def known(self) -> W | None:
        """The caller's side has been told; gives the one that may be worked on, unless it was given up meanwhile."""
        told, self._told = self._told, None
        return None if told is None else told[2]

    def leave(self, message_id: int) -> None:
        """A message is finished; if it is the one that was said to begin, then a copy that came before it was one."""
        if self._told is not None and self._told[1] == message_id:
            return
        following = self._gate.leave(message_id)
        if following is not None:
            ((root, following_id),) = self._gate.entered()
            self._tell(root, following_id, following)

    def waiting(self) -> Iterator[W]:
        """All that wait."""
        return chain(self._gate.waiting(), () if self._told is None else (self._told[2],))

    def drop(self, roots: Container[int]) -> list[W]:
        """Take out what waits of these roots, and wait for none of them any more."""
        dropped = self._gate.drop(roots)
        if self._told is not None and self._told[0] in roots:
            dropped.append(self._told[2])
            self._told = None
        for message_id in self._gate.at_work(roots):
            self.leave(message_id)
        return dropped
