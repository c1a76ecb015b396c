"""Frames over streams between processes of one host, and as calls where there is none.

A frame that is too large for a stream, or has buffers for the object store, goes as a call beside it: each frame says
where it stands, and the receiver puts them in order. A stream that breaks is no loss: what was not answered goes once
more as calls, and all that follows. If the receiver is gone those fail, and that is how a loss is noticed.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from penguiray.actors.calls import LARGE_FRAME_BYTES, CallTransport, Parcel, Peer
from penguiray.actors.door import knock
from penguiray.actors.stream import WordStream
from penguiray.link.absence import Absence
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.order import Place
from penguiray.link.words import MOST_BODY_BYTES, BrokenWord, Word, joined, parted

__all__ = ["Knock", "Reported", "StreamTransport", "pack_feedback", "pack_place", "unpack_ask", "unpack_place"]

_FEEDBACK = struct.Struct("!qdddd")
_PLACE = struct.Struct("!Bq")
_ASK = struct.Struct("!q")
_LOOK_S = 0.05
"""While feedback comes, the loop is looked at so often, in seconds: if it is late, the process stood still."""

Knock = Callable[..., WordStream | None]
"""Asks for a stream to a replica; see `door.knock`."""

Reported = Callable[[LinkId, Any, memoryview, memoryview], None]
"""Called with a replica, its actor, and what it reports, packed, which is gone when it returns."""


def _nobody_asks(_lately_s: float) -> None:
    pass


class _Way:
    """How frames get to one replica."""

    def __init__(self, peer: Peer) -> None:
        self.actor, self.door = peer
        self.known_as = self.door
        self.stream: WordStream | None = None
        self.number = secrets.randbits(63)
        self.next: dict[Kind, int] = {}
        self.unanswered: dict[int, tuple[Place, Parcel]] = {}
        """What was sent on the stream, by the numbers of the frames."""

    def place(self, lane: Kind) -> Place | None:
        """Where the next frame of a lane stands; None where all have always gone one way."""
        if not self.stream and not self.next:
            return None
        number = self.next.get(lane, 0)
        self.next[lane] = number + 1
        return Place(self.number, lane, number)


class StreamTransport:
    """Sends each frame the quickest way there is; see above. Its owner sees to it that one thread at a time is here."""

    def __init__(
        self,
        calls: CallTransport,
        lock: AbstractContextManager[Any],
        *,
        on_feedback: Callable[[LinkId, Feedback], None],
        on_report: Reported | None = None,
        on_absence: Callable[[float], None] = _nobody_asks,
        knock: Knock = knock,
    ) -> None:
        """Prepare; `connect` says who is there.

        Args:
            calls: The other way.
            lock: What the owner holds while it uses this.
            on_feedback: Told on the loop, under the lock, what comes back for a frame that went over a stream; calls
                have their own way to tell.
            on_report: Told on the loop, without the lock, what replicas report. None: this side does not read reports.
            on_absence: Told on the loop, without the lock, for how long this process stood still lately; see `Absence`.
            knock: How to ask for a stream.
        """
        self._knock = knock
        self._on_absence = on_absence
        self._absence = Absence()
        self._looks = self._has_heard = False
        self._calls = calls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = lock
        self._on_feedback = on_feedback
        self._on_report = on_report
        self._ways: dict[LinkId, _Way] = {}
        self._near: dict[int, bool] = {}
        """Stages of which it is known whether there is a stream to each replica."""
        self._is_closed = False

    def connect(self, peers: Mapping[int, Sequence[Peer]], loop: asyncio.AbstractEventLoop | None) -> None:
        """Say who the replicas of each stage are, and where streams are to be read; None: there are none."""
        self._loop = loop
        for stage, replicas in peers.items():
            for number, peer in enumerate(replicas):
                self.replace(LinkId(stage, number), peer)

    def replace(self, link: LinkId, peer: Peer) -> None:
        """Say who is a replica now. Who reads reports must be able to hear it; others may come when there is need.

        One that was taken for lost, and is not, keeps its stream, with what is under way there.
        """
        before = self._ways.get(link)
        if before is not None and before.known_as is not None and before.known_as == peer[1]:
            return
        if before is not None and before.stream is not None:
            before.stream.close()
        way = self._ways[link] = _Way(peer)
        self._near.pop(link.stage, None)
        self._calls.replace(link, way.actor)
        if self._on_report is not None:
            self._open(link, way)

    def is_current(self, link: LinkId, actor: Any) -> bool:
        """Whether an actor is a replica now, and not one before it."""
        return self._calls.is_current(link, actor)

    def has_stream(self, link: LinkId) -> bool:
        """Whether frames to a replica go over a stream."""
        return self._ways[link].stream is not None

    def is_near(self, link: LinkId) -> bool:
        """See `Transport`: what has a stream is on this host, and what may have one is asked for it."""
        way = self._ways.get(link)
        if way is not None and way.door is not None:
            self._open(link, way)
        return way is not None and way.stream is not None

    def send(self, frame: Frame) -> int:
        """See `Transport`."""
        if self._is_closed:
            return 0
        parcel, way = self._calls.pack(frame), self._ways[frame.link]
        if way.door is not None:
            self._open(frame.link, way)
        place, stream = way.place(parcel.kind.lane), way.stream
        if place is None or stream is None or parcel.buffers or parcel.nbytes > MOST_BODY_BYTES:
            self._calls.carry(parcel, place, is_near=stream is not None)
        else:
            way.unanswered[parcel.sequence] = place, parcel
            stream.send(Word.FRAME, pack_place(place), *joined(parcel.header, parcel.data))
        return parcel.nbytes

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        """See `Transport`; over streams a large frame costs less than several small ones, whatever its size."""
        near = self._near.get(stage)
        if near is None:
            ways = [way for link, way in self._ways.items() if link.stage == stage]
            near = self._near[stage] = all(way.stream is not None for way in ways)
        return LARGE_FRAME_BYTES if near else self._calls.frame_bytes(stage, full_bytes)

    def _open(self, link: LinkId, way: _Way) -> None:
        """Have a stream to a replica, if there can be one; tried once."""
        door, way.door = way.door, None
        self._near.pop(link.stage, None)
        if door is not None and self._loop is not None:
            way.stream = self._knock(
                door,
                self._loop,
                sender=way.number,
                reads=self._on_report is not None,
                on_word=lambda _, word, payload: self._take(link, way, word, payload),
                on_broken=lambda _: self._note_broken(link, way),
            )

    def ask(self, link: LinkId, number: int) -> None:
        """Tell a replica that its reports up to that number have arrived; needs no lock, and no stream either."""
        way = self._ways.get(link)
        stream = None if way is None else way.stream
        if stream is not None:
            stream.send(Word.ASK, _ASK.pack(number))

    def _take(self, link: LinkId, way: _Way, word: Word, payload: memoryview) -> None:
        if word is Word.FEEDBACK:
            self._has_heard = True
            if not self._looks:
                self._look_later()
            feedback = _feedback_in(payload)
            with self._lock:
                if self._ways.get(link) is way and way.unanswered.pop(feedback.sequence, None) is not None:
                    self._on_feedback(link, feedback)
        elif word is Word.REPORT and self._on_report is not None:
            header, data = parted(payload, 2)
            self._on_report(link, way.actor, header, data)
        else:
            raise BrokenWord(f"a {word.name} from a replica")

    def _look_later(self) -> None:
        if self._loop is not None:
            self._looks, due = True, self._loop.time() + _LOOK_S
            self._loop.call_at(due, self._look, due)

    def note_absence(self, away_s: float) -> None:
        """This process stood still for so long, in seconds; from any thread."""
        if self._loop is not None:
            self._absence.note(away_s, self._loop.time())
            self._on_absence(self._absence.lately_s)

    def _look(self, due: float) -> None:
        """See whether the loop has its turn in time, and go on with that as long as feedback comes."""
        assert self._loop is not None
        self.note_absence(self._loop.time() - due)
        self._looks, goes_on, self._has_heard = False, self._has_heard, False
        if goes_on and not self._is_closed:
            self._look_later()

    def _note_broken(self, link: LinkId, way: _Way) -> None:
        with self._lock:
            if self._ways.get(link) is way:
                self._near.pop(link.stage, None)
                way.stream, unanswered, way.unanswered = None, way.unanswered, {}
                for place, parcel in unanswered.values():
                    self._calls.carry_again(parcel, place)

    def close(self) -> None:
        """End all streams; nothing is sent from here on."""
        self._is_closed = True
        for way in self._ways.values():
            if way.stream is not None:
                way.stream.close()
        self._ways.clear()


def pack_feedback(feedback: Feedback) -> bytes:
    """What `Word.FEEDBACK` says."""
    says = feedback  # never late: what comes of a frame has words of its own
    return _FEEDBACK.pack(says.sequence, says.service_s, says.rest_s, says.wait_s, says.held_s)


def _feedback_in(payload: memoryview) -> Feedback:
    if len(payload) != _FEEDBACK.size:
        raise BrokenWord("feedback of another size")
    return Feedback(*_FEEDBACK.unpack(payload))


def pack_place(place: Place) -> bytes:
    """What `Word.FRAME` begins with; its sender was named by `Word.HELLO`."""
    return _PLACE.pack(place.lane, place.number)


def unpack_place(sender: int, payload: memoryview) -> tuple[Place, memoryview, memoryview]:
    """Place, header and data of a frame.

    Raises:
        BrokenWord: There are no such parts.
    """
    if len(payload) < _PLACE.size:
        raise BrokenWord("a frame without a place")
    lane, number = _PLACE.unpack_from(payload)
    header, data = parted(payload, 2, at=_PLACE.size)
    return Place(sender, lane, number), header, data


def unpack_ask(payload: memoryview) -> int:
    """What `Word.ASK` says."""
    if len(payload) != _ASK.size:
        raise BrokenWord("a number of another size")
    (number,) = _ASK.unpack(payload)
    return int(number)
