"""Where time comes from: passed in, so that tests and simulations can bring their own."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """A clock that never goes back."""

    def now(self) -> float:
        """Seconds since some fixed moment."""
        ...


class SystemClock:
    """The machine's monotonic clock; its zero differs between hosts, so only durations travel."""

    __slots__ = ()

    now = staticmethod(time.monotonic)  # and no function of ours: it is asked a dozen times for a message
    """Seconds since some moment before the program began."""
