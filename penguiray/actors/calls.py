"""Frames as actor calls: the way between any two processes of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy as np

from penguiray.actors.door import Door
from penguiray.actors.letters import feedback_of, frame_letter
from penguiray.clock import Clock
from penguiray.graph.policies import FlowOptions
from penguiray.link.codec import BodyTooLarge
from penguiray.link.compression import LEAST_BYTES, Compression
from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.order import Place
from penguiray.link.squeezed import squeezed, trials_of
from penguiray.link.transport import FrameTooLarge
from penguiray.link.wire import Packed, Refused, frame_of_what_can_travel, pack_frame

__all__ = ["LARGE_FRAME_BYTES", "CallTransport", "Parcel", "Peer"]

_INLINE_FRAME_BYTES = 90_000
"""Aim for a frame's size that goes along with a call: above 100 KB Ray moves an argument through its store."""
LARGE_FRAME_BYTES = 650_000
"""Aim for one that does not. A call by way of the store costs some 9 ms of CPU in all, whatever is in it, and four
times as much as one that carries its frame. With more, the bytes themselves are most of the price. It is also well
below what a stream takes in one word, since messages differ in size."""
_LEAST_STORED_BYTES = 400_000
"""Frames that could not even have so much are better off with the smaller aim."""

Answered = Callable[[LinkId, Any, "Future[Any]"], None]

Peer = tuple[Any, Door | None]
"""The actor of a replica, and where streams to it begin, if they may."""


class Parcel(NamedTuple):
    """A frame, packed."""

    link: LinkId
    """Where it goes."""
    sequence: int
    """Its number on the link."""
    kind: Kind
    """What it is for."""
    header: bytes
    """See `wire.Packed`."""
    data: bytes
    """See `wire.Packed`."""
    buffers: list[memoryview]
    """See `wire.Packed`."""
    common: dict[Any, Any] | None
    """See `Frame`."""
    nbytes: int
    """Size of all parts in bytes."""


class CallTransport:
    """Sends each frame as one call of the receiver's `receive`; its return value is the feedback.

    Buffers above the inline limit are top-level arguments of the call: Ray puts them in its store, and fetches them
    before the call runs. They belong to the sender until the call has returned.
    """

    def __init__(self, *, clock: Clock, options: FlowOptions, on_answer: Answered, on_refused: Refused) -> None:
        """Prepare; `replace` says who is there.

        Args:
            clock: The sender's clock.
            options: The flow's limits.
            on_answer: Called from a thread of Ray's when a call has returned or failed, with the replica and the actor;
                may only enqueue.
            on_refused: Told of each message whose value cannot be pickled, or is too large.
        """
        self._clock = clock
        self._options = options
        self._on_answer = on_answer
        self._on_refused = on_refused
        self._actors: dict[LinkId, Any] = {}
        self._known: dict[tuple[LinkId, Kind], set[str]] = {}
        self._far: dict[LinkId, Compression] = {}

    def is_current(self, link: LinkId, actor: Any) -> bool:
        """Whether an actor is a replica now, and not one before it."""
        return self._actors.get(link) is actor

    def replace(self, link: LinkId, actor: Any) -> None:
        """Say which actor is a replica now."""
        self._actors[link] = actor
        self._far.pop(link, None)
        for known in [known for known in self._known if known[0] == link]:
            del self._known[known]

    def is_near(self, link: LinkId) -> bool:  # noqa: ARG002 - a call goes anywhere, and does not say where
        """See `Transport`."""
        return False

    def send(self, frame: Frame) -> int:
        """Send a frame; a message that cannot be pickled, or is too large, is refused, and the others go."""
        parcel = self.pack(frame)
        self.carry(parcel)
        return parcel.nbytes

    def frame_bytes(self, stage: int, full_bytes: float) -> float:  # noqa: ARG002 - see `Transport`
        """See `Transport`; as much as goes along with a call, or enough to be worth the way through the store."""
        return _INLINE_FRAME_BYTES if full_bytes < _LEAST_STORED_BYTES else LARGE_FRAME_BYTES

    def pack(self, frame: Frame) -> Parcel:
        """A frame as bytes, to be sent before the next one of its lane is packed; see `send`.

        Raises:
            FrameTooLarge: See `Transport.send`.
        """
        try:
            packed = self._pack(frame, self._limit(frame))
        except Exception as error:  # pickling runs user code
            if isinstance(error, BodyTooLarge) and len(frame.messages.ids) > 1:
                raise FrameTooLarge from error
            frame = frame_of_what_can_travel(frame, self._options.max_message_bytes, self._on_refused)
            packed = self._pack(frame, None)
        header, data, buffers = packed
        nbytes, common = len(header) + len(data), None
        if buffers:
            nbytes, common = nbytes + sum(buffer.nbytes for buffer in buffers), frame.common
        return Parcel(frame.link, frame.sequence, frame.kind, header, data, buffers, common, nbytes)

    def carry(self, parcel: Parcel, place: Place | None = None, *, is_near: bool = False) -> None:
        """Send what was packed.

        Args:
            parcel: What is sent.
            place: Where it stands if it may be overtaken, or overtakes.
            is_near: Whether it stays on this host for sure.
        """
        method = _METHODS.get(parcel.kind.lane, "receive")
        if not is_near and parcel.nbytes >= LEAST_BYTES and self._options.compression is not None:
            self._carry_far(parcel, method, place)
            return
        attachments = [_attachment(buffer, parcel.common) for buffer in parcel.buffers]
        self._call(parcel.link, method, frame_letter(place, parcel.header, parcel.data, attachments))

    def _carry_far(self, parcel: Parcel, method: str, place: Place | None) -> None:
        """Send what is large and may go to another host: compressed if it gets there sooner."""
        way = self._far.get(parcel.link)
        if way is None:
            way = self._far[parcel.link] = Compression(self._options.compression)
        packed: Packed = parcel.header, parcel.data, parcel.buffers
        if way.wants_trial():
            way.take_trials(trials_of(packed, self._clock.now))
        sent_at, nbytes, common = self._clock.now(), parcel.nbytes, parcel.common
        if way.codec is not None:
            packed, common = squeezed(packed, way.codec), None
            nbytes = len(packed[1]) + sum(part.nbytes for part in packed[2])
        header, data, buffers = packed
        attachments = [_attachment(buffer, common) for buffer in buffers]
        answer = self._call(parcel.link, method, frame_letter(place, header, data, attachments))
        answer.add_done_callback(lambda done: self._note_arrived(way, nbytes, sent_at, done))

    def _note_arrived(self, way: Compression, nbytes: int, sent_at: float, answer: Future[Any]) -> None:
        if answer.exception() is None:
            says = feedback_of(answer)
            way.note_arrived(nbytes, sent_at, self._clock.now() - says.held_s - says.late_s)

    def carry_again(self, parcel: Parcel, place: Place) -> None:
        """Send what may have arrived already, or may stand before something that waits for it."""
        self._call(parcel.link, "receive_again", frame_letter(place, parcel.header, parcel.data, ()))

    def _call(self, link: LinkId, method: str, letter: Sequence[Any]) -> Future[Any]:
        actor = self._actors[link]
        answer = self.invoke(actor, method, *letter)
        answer.add_done_callback(lambda done: self._on_answer(link, actor, done))
        return answer

    def invoke(self, actor: Any, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of an actor."""
        answer: Future[Any] = getattr(actor, method).remote(*arguments).future()
        return answer

    def _limit(self, frame: Frame) -> int | None:
        """Most bytes of the frame: several messages together are no more than may be on the way to one replica."""
        limit = self._options.max_message_bytes
        return limit if len(frame.messages.ids) <= 1 else min(limit or sys.maxsize, self._options.link_bytes)

    def _pack(self, frame: Frame, limit: int | None) -> Packed:
        known = self._known.setdefault((frame.link, frame.kind.lane), set())
        now, inline_limit = self._clock.now(), self._options.inline_limit_bytes
        return pack_frame(frame, known, now=now, inline_limit=inline_limit, limit=limit)


def _attachment(buffer: memoryview, common: dict[Any, Any] | None) -> Any:
    """A buffer as the argument of a call: as it is, or put in the store once for all frames that have it in common."""
    array = np.frombuffer(buffer, dtype=np.uint8)
    if common is None:
        return array
    place = array.__array_interface__["data"][0], array.nbytes
    if place not in common:
        import ray  # noqa: PLC0415 - loaded wherever there are actors; the rest of this file is of use without

        common[place] = ray.put(array)
    return common[place]


_METHODS = {Kind.BACK: "receive_first", Kind.HIGH: "receive_first", Kind.LOW: "receive_low"}
"""The methods for some lanes: they have threads of their own, so the urgent ones wait for no others."""
