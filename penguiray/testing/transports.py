"""Transports for tests: one through memory, and one that makes another late or loses what it is told to lose."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from penguiray.clock import Clock, SystemClock
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.transport import Transport
from penguiray.link.wire import Packed, frame_of_what_can_travel, pack_frame, unpack_frame

__all__ = ["FaultyTransport", "MemoryPair", "TransportPair"]

INLINE_LIMIT = 64 * 1024


class TransportPair(Protocol):
    """A transport with both its ends in a test's hand: there are links to replicas 0 and 1 of stage 0."""

    @property
    def transport(self) -> Transport:
        """The sender's end."""
        ...

    @property
    def feedback(self) -> list[tuple[LinkId, Feedback]]:
        """What has come back to the sender so far."""
        ...

    @property
    def refused(self) -> list[tuple[int, int, CarriedError]]:
        """Messages that were not carried so far: root, id, and why."""
        ...

    def take(self, link: LinkId) -> Frame:
        """Wait for the next frame of a link, and take it as an inbox does: its feedback is on its way then."""
        ...

    def wait_feedback(self, count: int) -> None:
        """Wait until so much feedback has come back in all."""
        ...


class MemoryPair:
    """Both ends of a transport in one process. Frames travel as bytes, as they do between processes.

    Nothing happens by itself: what was sent waits until it is taken.
    """

    def __init__(self, *, clock: Clock | None = None, inline_limit: int = INLINE_LIMIT) -> None:
        """Make one.

        Args:
            clock: Both ends' time. None: the machine's.
            inline_limit: Buffers above this many bytes stay outside the body.
        """
        self._clock: Clock = clock or SystemClock()
        self._inline_limit = inline_limit
        self._known: dict[LinkId, set[str]] = {}
        self._on_the_way: dict[LinkId, deque[Packed]] = {}
        self.feedback: list[tuple[LinkId, Feedback]] = []
        """What has come back to the sender so far."""
        self.refused: list[tuple[int, int, CarriedError]] = []
        """Messages that were not carried so far: root, id, and why."""

    @property
    def transport(self) -> Transport:
        """The sender's end: the pair itself."""
        return self

    def send(self, frame: Frame) -> int:
        """See `Transport`; a message that cannot be pickled is refused, and the others go."""
        try:
            packed = self._pack(frame)
        except Exception:  # noqa: BLE001 - pickling runs user code
            packed = self._pack(frame_of_what_can_travel(frame, None, self._refuse))
        self._on_the_way.setdefault(frame.link, deque()).append(packed)
        return size_of(packed)

    def frame_bytes(self, stage: int, full_bytes: float) -> float:  # noqa: ARG002 - see `Transport`
        """See `Transport`; any size will do."""
        return full_bytes

    def is_near(self, link: LinkId) -> bool:  # noqa: ARG002 - there is but one process
        """See `Transport`."""
        return True

    def _pack(self, frame: Frame) -> Packed:
        known = self._known.setdefault(frame.link, set())
        return pack_frame(frame, known, now=self._clock.now(), inline_limit=self._inline_limit)

    def _refuse(self, root: int, message_id: int, error: CarriedError) -> None:
        self.refused.append((root, message_id, error))

    @property
    def waiting(self) -> Mapping[LinkId, int]:
        """Frames that were sent and not taken, by link; links without any are left out."""
        return {link: len(packed) for link, packed in self._on_the_way.items() if packed}

    def take(self, link: LinkId) -> Frame:
        """Take the next frame of a link.

        Raises:
            LookupError: There is none, and none will come by itself.
            Exception: A value of the frame cannot be unpickled.
        """
        if not self._on_the_way.get(link):
            raise LookupError(f"no frame is on its way on {link}")
        frame, failure = unpack_frame(*self._on_the_way[link].popleft(), now=self._clock.now())
        self.feedback.append((link, Feedback(frame.sequence, 0.0)))
        if failure is not None:
            raise failure
        return frame

    def wait_feedback(self, count: int) -> None:
        """See `TransportPair`; here it has come with `take`, or it never will."""
        if len(self.feedback) < count:
            raise LookupError(f"{len(self.feedback)} frames were taken, not {count}")


class FaultyTransport:
    """Makes the frames of another transport late: each by another while, so that links overtake each other.

    It keeps what a transport promises: frames of one link never overtake each other. Only a link that was cut loses
    frames, as one to a lost replica does.
    """

    def __init__(
        self,
        inner: Transport,
        *,
        rng: random.Random,
        later: Callable[[float, Callable[[], None]], object],
        most_s: float = 1.0,
    ) -> None:
        """Put it before another transport.

        Args:
            inner: Carries the frames in the end.
            rng: Draws the delays; the same seed gives the same faults.
            later: Calls a function after so many seconds; `loop.call_later`, in real or virtual time.
            most_s: Longest delay of a frame in seconds, not counting that of the frames before it on its link.
        """
        self._inner = inner
        self._rng = rng
        self._later = later
        self._most_s = most_s
        self._held: dict[LinkId, deque[Frame]] = {}
        self._cut: set[LinkId] = set()
        self.lost: list[Frame] = []
        """Frames of cut links."""

    def send(self, frame: Frame) -> int:
        """See `Transport`; gives the size that the frame has as bytes, 0 if it cannot be pickled as a whole."""
        if frame.link in self._cut:
            self.lost.append(frame)
        else:
            self._held.setdefault(frame.link, deque()).append(frame)
            self._later(self._rng.uniform(0.0, self._most_s), lambda: self._release(frame.link))
        try:
            return size_of(pack_frame(frame, set(), now=0.0, inline_limit=INLINE_LIMIT))
        except Exception:  # noqa: BLE001 - pickling runs user code
            return 0

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        """See `Transport`."""
        return self._inner.frame_bytes(stage, full_bytes)

    def is_near(self, link: LinkId) -> bool:
        """See `Transport`."""
        return self._inner.is_near(link)

    def _release(self, link: LinkId) -> None:
        """Each frame's moment releases the oldest of its link, so no order is lost."""
        if self._held[link]:
            self._inner.send(self._held[link].popleft())

    def cut(self, link: LinkId) -> None:
        """Lose what is held for a link, and all that will be sent on it."""
        self._cut.add(link)
        self.lost += self._held.pop(link, ())
        self._held[link] = deque()


def size_of(packed: Packed) -> int:
    """Bytes of a packed frame."""
    header, data, buffers = packed
    return len(header) + len(data) + sum(buffer.nbytes for buffer in buffers)
