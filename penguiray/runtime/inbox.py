"""Frames that a replica has received and not begun. Bounded by the credit of its senders."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container
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
    messages: Messages
    on_taken: Callable[[], None]


class Inbox:
    """Gives messages in the order in which they came, those on a way back first, as many as the worker wants."""

    def __init__(self) -> None:
        self._frames: deque[_Waiting] = deque()
        self._back: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._is_closed = False
        self.is_abandoned = False
        """Whether the replica is ending without finishing what it holds."""

    def put(self, frame: Frame, on_taken: Callable[[], None]) -> None:
        """Add a frame; `on_taken` is called when its last message has been taken: its credit is free then."""
        if frame.kind.is_data and not len(frame.messages):
            on_taken()
            return
        lane = self._back if frame.kind is Kind.BACK else self._frames
        lane.append(_Waiting(frame, frame.messages, on_taken))
        self._filled.set()

    def drop(self, roots: Container[int]) -> None:
        """Take out what waits of these roots; control words stay."""
        for lane in (self._frames, self._back):
            waiting = list(lane)
            lane.clear()
            for one in waiting:
                if one.frame.kind.is_data:
                    one.messages = one.messages.without(roots)
                if one.frame.kind.is_data and not len(one.messages):
                    one.on_taken()
                else:
                    lane.append(one)

    def close(self) -> None:
        """No more frames will come: `take` gives None once the inbox is empty."""
        self._is_closed = True
        self._filled.set()

    def abandon(self) -> None:
        """The replica ends now: what was not finished will not be."""
        self.is_abandoned = True
        self._frames.clear()
        self._back.clear()
        self.close()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not (self._frames or self._back)

    async def take(self, limit: int) -> Messages | Control | None:
        """Wait for messages and take at most `limit` of them, or one control word; None when closed and empty."""
        while self.is_empty:
            if self._is_closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        return self.take_nowait(limit)

    def take_nowait(self, limit: int) -> Messages | Control | None:
        """Like `take`, but None when nothing waits."""
        lane = self._back or self._frames
        if not lane:
            return None
        first = lane[0]
        messages = first.messages
        if first.frame.kind.is_data and len(messages) > limit:
            first.messages = messages.cut(limit, len(messages))
            return messages.cut(0, limit)
        lane.popleft()
        first.on_taken()
        return messages if first.frame.kind.is_data else Control(first.frame.kind, first.frame.call, messages)
