"""How a frame gets to another replica: declared by the sender, which calls it."""

from __future__ import annotations

from typing import Protocol

from penguiray.link.frame import Frame, LinkId

__all__ = ["FrameTooLarge", "Transport"]


class FrameTooLarge(Exception):
    """A frame of several messages has more bytes than `FlowOptions.link_bytes`: send fewer at a time."""


class Transport(Protocol):
    """Carries frames. Feedback comes back through the owner of the sender, which calls `Sender.take_credit`.

    `penguiray.testing.TransportConformance` tests what is promised here.
    """

    def send(self, frame: Frame) -> int:
        """Send a frame and return at once.

        Frames of one link and one kind arrive in the order of their sequence, control words with the data, each at most
        once while both sides live. A frame to a replica that is gone is reported by whoever watches that replica.

        Returns:
            Bytes that the frame takes on the wire; 0 where values are handed over by reference.

        Raises:
            FrameTooLarge: Nothing was sent.
        """
        ...

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        """Most bytes of a frame to a stage where more wait: large enough that its messages share what a frame costs.

        Args:
            stage: Where the frame goes.
            full_bytes: Bytes of one that is full by the number of its messages.
        """
        ...

    def is_near(self, link: LinkId) -> bool:
        """Whether a replica is on this host, as far as can be told at once; no promise hangs on it.

        It gets what others are not much sooner done with, and large payloads all the more.
        """
        ...
