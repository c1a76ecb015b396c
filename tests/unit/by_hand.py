"""A clock and a wire that do nothing by themselves."""

from __future__ import annotations

from penguiray.clock import Clock
from penguiray.link.frame import Frame, LinkId

__all__ = ["HandClock", "NotingWire"]


class HandClock(Clock):
    """Stands still until a test sets its time."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


class NotingWire:
    """Notes what is sent on it, and brings it to nobody."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def send(self, frame: Frame) -> int:
        self.frames.append(frame)
        return 0

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        return full_bytes

    def is_near(self, link: LinkId) -> bool:
        return link.replica == 0
