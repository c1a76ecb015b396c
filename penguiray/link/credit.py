"""How much may be on the way to one replica: a window in messages and bytes. Pure."""

from __future__ import annotations

__all__ = ["Credit"]


class Credit:
    """Window of one link. What is taken comes back by `grant`; one message always passes an empty link."""

    __slots__ = ("_bytes_limit", "_messages_limit", "bytes_out", "messages_out")

    def __init__(self, messages: int, body_bytes: int) -> None:
        self._messages_limit = messages
        self._bytes_limit = body_bytes
        self.messages_out = 0
        """Messages on the way."""
        self.bytes_out = 0
        """Bytes on the way."""

    def widen(self, messages: int) -> None:
        """Allow another number of messages from now on; what is on the way stays on it."""
        self._messages_limit = messages

    def room(self) -> int:
        """Messages that may be sent now: 0 when either window is used up, at least 1 when nothing is on the way."""
        if self.messages_out == 0:
            return max(1, self._messages_limit)
        if self.bytes_out >= self._bytes_limit:
            return 0
        return max(0, self._messages_limit - self.messages_out)

    def take(self, messages: int, body_bytes: int) -> None:
        """Note what was sent. Its size is known only once it is encoded, so the last frame may pass the byte limit."""
        self.messages_out += messages
        self.bytes_out += body_bytes

    def grant(self, messages: int, body_bytes: int) -> None:
        """Note what the receiver took off its inbox."""
        self.messages_out -= messages
        self.bytes_out -= body_bytes
        assert self.messages_out >= 0, "more credit came back than was taken"
