"""How long Python's collector of garbage has this process stand still."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CollectorWatch"]

_FULL = 2
"""The generation of all objects. Collections of younger ones are short."""


class CollectorWatch:
    """Tells of each full collection when it is over; no other thread has done anything meanwhile.

    A program whose inputs lie in memory has often made them just before: then it is known already how long the first
    collection will take that comes while they are worked on.
    """

    def __init__(self, on_pause: Callable[[float], None]) -> None:
        """Prepare; `open` begins.

        Args:
            on_pause: Told how long one took, in seconds; in any thread, between any two steps of it, whatever locks it
                has: so it may only note something.
        """
        self._on_pause = on_pause
        self._since: float | None = None

    def open(self) -> None:
        """Tell from now on."""
        gc.callbacks.append(self._note)

    def close(self) -> None:
        """Tell no more."""
        if self._note in gc.callbacks:
            gc.callbacks.remove(self._note)

    def _note(self, phase: str, info: Mapping[str, Any]) -> None:
        if info["generation"] != _FULL:
            return
        since, self._since = self._since, time.perf_counter() if phase == "start" else None
        if phase == "stop" and since is not None:  # the watch may have been opened in the middle of one
            self._on_pause(time.perf_counter() - since)
