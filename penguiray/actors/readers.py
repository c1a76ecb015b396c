"""The processes that attached to a run, as one of its replicas knows them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from penguiray.actors.reader import MOST_ATTACHED, Reader

__all__ = ["Readers"]


class Readers:
    """Who is let in, by the numbers of their ingresses. For all threads of a replica: no method waits.

    What is said here holds when the method returns. The replica's loop is told besides, but later: it may be held up by
    a node, or get no CPU, while a process that was let in calls again.
    """

    def __init__(self, make: Callable[[], Reader]) -> None:
        """Nobody is there.

        Args:
            make: A new reader, whose lease begins.
        """
        self._make = make
        self._lock = threading.Lock()
        self._readers: dict[int, Reader] = {}
        self._removed: set[int] = set()

    def __contains__(self, number: object) -> bool:
        return number in self._readers

    def get(self, number: int) -> Reader | None:
        """The reader of a process; None if it did not join, or was removed."""
        return self._readers.get(number)

    def numbers(self) -> list[int]:
        """Those who are there."""
        with self._lock:
            return list(self._readers)

    def admit(self, number: int) -> bool:
        """Take in a new process, unless there are as many as may be."""
        with self._lock:
            if len(self._readers) >= MOST_ATTACHED:
                return False
            self._readers[number] = self._make()
            return True

    def join(self, number: int) -> bool:
        """Take in a process that the first replica admitted, once or again; not one that was removed.

        Its calls may come in any order, since they are in several groups of threads: leaving, and joining after that.
        """
        with self._lock:
            if number in self._removed:
                return False
            if number not in self._readers:
                self._readers[number] = self._make()
            return True

    def remove(self, number: int) -> Reader | None:
        """Take a process out for good: its place is free. Gives its reader if it was there."""
        with self._lock:
            self._removed.add(number)
            return self._readers.pop(number, None)

    def silent(self, now: float) -> list[int]:
        """Those whose lease has ended. To be asked as often as a lease is to be looked at."""
        with self._lock:
            return [number for number, reader in self._readers.items() if reader.lease.rest_s(now) <= 0]
