"""The transport of a stage behind which nothing comes."""

from __future__ import annotations

from penguiray.link.frame import Frame, LinkId

__all__ = ["Nowhere"]


class Nowhere:
    """Fails the test that sends something."""

    def send(self, frame: Frame) -> int:
        raise AssertionError(f"an end sends nothing: {frame}")

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        return full_bytes

    def is_near(self, link: LinkId) -> bool:
        return link.replica == 0
