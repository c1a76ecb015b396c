"""Order by key where calls overlap: one message of a key at a time, in the order in which they came. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from typing import Generic, TypeVar

__all__ = ["KeyGate"]

W = TypeVar("W")


class KeyGate(Generic[W]):
    """Knows which keys are worked on, and keeps what waits for them."""

    __slots__ = ("_at_work", "_count", "_held")

    def __init__(self) -> None:
        self._at_work: dict[int, tuple[int, int]] = {}
        self._held: dict[int, deque[tuple[int, int, W]]] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def enter(self, root: int, message_id: int, key: int) -> bool:
        """Whether a message may be worked on now; if so its key is taken until it leaves."""
        if key in self._held:
            return False
        self._held[key] = deque()
        self._at_work[message_id] = (root, key)
        return True

    def hold(self, root: int, message_id: int, key: int, waiting: W) -> None:
        """Keep a message that may not."""
        self._held[key].append((root, message_id, waiting))
        self._count += 1

    def leave(self, message_id: int) -> W | None:
        """A message is finished; gives the next of its key, which may be worked on now."""
        _, key = self._at_work.pop(message_id, (0, None))
        if key is None:
            return None
        if not self._held[key]:
            del self._held[key]
            return None
        root, following, waiting = self._held[key].popleft()
        self._count -= 1
        self._at_work[following] = (root, key)
        return waiting

    def entered(self) -> list[tuple[int, int]]:
        """Root and id of each message that has entered and not left."""
        return [(root, message_id) for message_id, (root, _) in self._at_work.items()]

    def waiting(self) -> Iterator[W]:
        """All that wait."""
        return (waiting for held in self._held.values() for _, _, waiting in held)

    def drop(self, roots: Container[int]) -> list[W]:
        """Take out what waits of these roots."""
        dropped = []
        for key, held in self._held.items():
            dropped += [waiting for root, _, waiting in held if root in roots]
            self._held[key] = deque(one for one in held if one[0] not in roots)
        self._count -= len(dropped)
        return dropped

    def at_work(self, roots: Container[int]) -> list[int]:
        """Ids of the messages of these roots that have entered and not left."""
        return [message_id for message_id, (root, _) in self._at_work.items() if root in roots]
