"""Which errors say that memory ran out, and what size of a batch that forbids, for how long. Pure."""

from __future__ import annotations

__all__ = ["MemoryCeiling", "is_out_of_memory"]

_PATIENCE_CALLS = 1_000
"""Calls without such an error before a larger batch is dared again. Each error costs the messages of a batch."""
_MOST_PATIENCE_CALLS = 64_000
"""Each further error doubles the patience, up to this."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: Python's, or that of a device.

    Frameworks are known by the names of their classes and by what they say, so that none need be installed: torch has
    `OutOfMemoryError`, and older versions of it and others a `RuntimeError` that says so.
    """
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()


class MemoryCeiling:
    """The largest batch that may be tried, after memory ran out with a larger one.

    An eighth below the size that failed, since the next smaller one would hardly fit. After a thousand calls that went
    well it is an eighth higher: memory may have become free. Each time that memory runs out again the wait doubles.
    """

    __slots__ = ("_calls", "_most", "_patience", "size")

    def __init__(self, most: int) -> None:
        self.size = most
        """Most messages that may be tried."""
        self._most = most
        self._calls = 0
        self._patience = 0

    def note_out_of_memory(self, size: int) -> None:
        """Memory ran out in a call with so many messages."""
        self.size = max(1, min(self.size, size - max(1, size // 8)))
        self._calls = 0
        self._patience = min(max(_PATIENCE_CALLS, 2 * self._patience), _MOST_PATIENCE_CALLS)

    def note_call(self) -> None:
        """A call went well."""
        self._calls += 1
        if self._patience and self._calls >= self._patience:
            self.size = min(self._most, self.size + max(1, self.size // 8))
            self._calls = 0
