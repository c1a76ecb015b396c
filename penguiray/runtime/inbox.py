"""Frames that a replica has received and not begun. Bounded by the credit of its senders."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from penguiray.link.frame import Frame, Kind
from penguiray.link.message import Messages

__all__ = ["Control", "Inbox"]


@dataclass(frozen=True, slots=True)
class Control:
    """A control word that has come to its turn."""

    kind: Kind
    call: int
    messages: Messages


@dataclass(slots=True)
class _Waiting:
    frame: Frame
    taken: int
    on_taken: Callable[[], None]


class Inbox:
    """Gives messages in the order in which they came, as many at a time as the worker wants."""

    def __init__(self) -> None:
        self._frames: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._is_closed = False
        self.is_abandoned = False
        """Whether the replica is ending without finishing what it holds."""

    def put(self, frame: Frame, on_taken: Callable[[], None]) -> None:
        """Add a frame; `on_taken` is called when its last message has been taken: its credit is free then."""
        if frame.kind is Kind.DATA and not len(frame.messages):
            on_taken()
            return
        self._frames.append(_Waiting(frame, 0, on_taken))
        self._filled.set()

    def close(self) -> None:
        """No more frames will come: `take` gives None once the inbox is empty."""
        self._is_closed = True
        self._filled.set()

    def abandon(self) -> None:
        """The replica ends now: what was not finished will not be."""
        self.is_abandoned = True
        self._frames.clear()
        self.close()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._frames

    async def take(self, limit: int) -> Messages | Control | None:
        """Wait for messages and take at most `limit` of them, or one control word; None when closed and empty."""
        while not self._frames:
            if self._is_closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        return self.take_nowait(limit)

    def take_nowait(self, limit: int) -> Messages | Control | None:
        """Like `take`, but None when nothing waits."""
        if not self._frames:
            return None
        first = self._frames[0]
        messages = first.frame.messages
        if first.frame.kind is not Kind.DATA:
            self._frames.popleft()
            first.on_taken()
            return Control(first.frame.kind, first.frame.call, messages)
        taken = messages if first.taken == 0 and len(messages) <= limit else None
        taken = taken or messages.cut(first.taken, first.taken + limit)
        first.taken += len(taken)
        if first.taken >= len(messages):
            self._frames.popleft()
            first.on_taken()
        return taken
