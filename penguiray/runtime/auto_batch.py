"""The policy of a node with `batch="auto"`: as many messages a call as it is quickest with. Pure."""

from __future__ import annotations

from collections.abc import Callable

from penguiray.runtime.batch_size import MOST_MESSAGES, BatchSize
from penguiray.runtime.call_time import CallTime
from penguiray.runtime.out_of_memory import is_out_of_memory

__all__ = ["AutoBatch"]

_WAIT_SHARE = 0.1
"""What a message waits for others, as a share of what a call takes, while other calls are under way."""


class AutoBatch:
    """Batches whose size follows what calls take.

    A node that has nothing to do begins at once with what is there: a message that comes alone never waits. While it
    works, messages gather by themselves; where it may begin another call beside those under way, a message waits for
    others for a tenth of what a call takes, so that not each of them becomes a call.
    """

    __slots__ = ("_is_busy", "_size", "call_time")

    def __init__(
        self, *, is_busy: Callable[[], bool], timeout_s: float | None = None, most: int = MOST_MESSAGES
    ) -> None:
        """Begin with single messages.

        Args:
            is_busy: Whether calls of the node are under way.
            timeout_s: Time after which a call of the node is given up; None: never.
            most: Most messages in a call.
        """
        self._size = BatchSize(most, timeout_s)
        self._is_busy = is_busy
        self.call_time = CallTime()
        """What calls take."""

    @property
    def max_size(self) -> int:
        """Most messages in the next batch."""
        return self._size.size

    @property
    def max_wait_s(self) -> float:
        """Longest wait of a message for others to join it, in seconds."""
        return _WAIT_SHARE * self.call_time.seconds(self._size.size) if self._is_busy() else 0.0

    def note(self, size: int, seconds: float) -> None:
        """A call with so many messages took so long, and went well."""
        self.call_time.note(size, seconds)
        self._size.note(size, seconds)

    def note_failed(self, size: int, seconds: float, error: BaseException) -> bool:
        """A call failed, or was ended; gives whether that was for its size, so that a smaller one may go well.

        How long a call took that failed says nothing about those that go well, unless it took too long.
        """
        if is_out_of_memory(error):
            self._size.note_out_of_memory(size)
            return size > 1
        if not isinstance(error, Exception) and seconds > self._size.longest_s:
            self._size.note_cut_off(size)
        return False
