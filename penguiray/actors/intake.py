"""What comes in to a replica, by calls and by streams."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from penguiray.actors.stream import WordStream
from penguiray.actors.streams import pack_feedback, unpack_place
from penguiray.clock import Clock
from penguiray.link.frame import Feedback, Frame
from penguiray.link.ids import ingress_of
from penguiray.link.order import InOrder, Place
from penguiray.link.squeezed import whole
from penguiray.link.wire import Bytes, Packed, sequence_in, unpack_frame
from penguiray.link.words import Word

__all__ = ["Intake", "Receiver"]

Answer = Callable[[Feedback], None]
Hold = Callable[[Callable[[Packed | None], None]], None]


@dataclasses.dataclass(slots=True)
class _Arrived:
    """A frame as it came, and who waits for its feedback."""

    header: Bytes
    data: Bytes
    attachments: Sequence[Any]
    answer: Answer


class Receiver(Protocol):
    """What an intake needs of a replica; see there."""

    def receive(self, frame: Frame, on_taken: Answer, /) -> None:
        """Take a frame in."""
        ...

    def refuse(self, frame: Frame, error: Exception, on_taken: Answer, /) -> None:
        """Take a frame in that could not be decoded."""
        ...


class Intake:
    """Hands frames to the replica, those of one sender in its order, and takes the feedback back."""

    def __init__(self, replica: Receiver, loop: asyncio.AbstractEventLoop, clock: Clock, hold: Hold) -> None:
        """Nothing has come yet; the replica belongs to the loop.

        Args:
            replica: Takes the frames.
            loop: Where it lives.
            clock: Where time comes from.
            hold: See `Teller.hold`; on the loop.
        """
        self._hold = hold
        self._replica = replica
        self._loop = loop
        self._clock = clock
        self._order: InOrder[_Arrived] = InOrder()

    def by_call(
        self, place: Place | None, header: Bytes, data: Bytes, attachments: Sequence[Any]
    ) -> tuple[Feedback, Packed | None]:
        """Take a frame in, from a thread that waits until it has left the inbox; it may bring a report back."""
        header, data, attachments = whole(header, data, attachments)
        taken: Future[tuple[Feedback, Packed | None]] = Future()

        def answer(feedback: Feedback, report: Packed | None = None) -> None:
            taken.set_result((feedback, report))

        def answer_later(feedback: Feedback) -> None:
            since = self._clock.now()

            def let_go(report: Packed | None) -> None:
                answer(feedback._replace(late_s=self._clock.now() - since), report)

            self._hold(let_go)

        if place is None:  # nothing of this sender can overtake it, so it is decoded beside the loop
            frame, failure = unpack_frame(header, data, attachments, now=self._clock.now())
            how = answer_later if _is_question(frame) else answer
            self._loop.call_soon_threadsafe(self._hand_over, frame, failure, how)
        else:
            self._loop.call_soon_threadsafe(self.on_loop, place, header, data, attachments, answer)
        return taken.result()

    def on_loop(
        self, place: Place | None, header: Bytes, data: Bytes, attachments: Sequence[Any], answer: Answer
    ) -> None:
        """Take a frame in that a call has brought; on the loop."""
        if place is None:
            self._hand_over(*unpack_frame(header, data, attachments, now=self._clock.now()), answer)
        else:
            self._arrive(place, _Arrived(header, data, attachments, answer))

    def by_call_again(self, place: Place, header: Bytes, data: Bytes) -> None:
        """Take a frame in that may have come before. Nobody waits: others may wait for it."""
        self._loop.call_soon_threadsafe(self.on_loop, place, header, data, (), _nobody)

    def by_stream(self, stream: WordStream, sender: int, payload: memoryview) -> None:
        """Take a frame in; on the loop. Nothing refers to the payload afterwards."""
        place, header, data = unpack_place(sender, payload)

        def answer(feedback: Feedback) -> None:
            # Not now: what was taken is on its way to the user's code, which need not wait for this. Where that is at
            # work in this very turn, what comes of it goes along.
            stream.hold(Word.FEEDBACK, pack_feedback(feedback))
            self._loop.call_soon(stream.send_held)

        if self._order.take_turn(place):
            self._hand_over(*unpack_frame(header, data, (), now=self._clock.now()), answer)
        else:
            self._arrive(place, _Arrived(header, data, (), answer))

    def _arrive(self, place: Place, arrived: _Arrived) -> None:
        """Take a frame in, in its turn.

        Nobody waits for that of one that came too early: in the thread of a call it would keep those before it out.
        """
        if self._order.has_come(place):
            arrived.answer(Feedback(sequence_in(arrived.header), 0.0))
            return
        if not self._order.is_due(place):
            arrived.answer(Feedback(sequence_in(arrived.header), 0.0))
            arrived.answer = _nobody
            arrived.header, arrived.data = bytes(arrived.header), bytes(arrived.data)  # a stream needs its place again
        for due in self._order.arrive(place, arrived):
            now = self._clock.now()
            self._hand_over(*unpack_frame(due.header, due.data, due.attachments, now=now), due.answer)

    def _hand_over(self, frame: Frame, failure: Exception | None, answer: Answer) -> None:
        if failure is None:
            self._replica.receive(frame, answer)
        else:
            self._replica.refuse(frame, failure, answer)


def _is_question(frame: Frame) -> bool:
    """Whether a frame has one message, from the process that started the run, which reads the reports."""
    messages = frame.messages
    return len(messages) == 1 and messages.source < 0 and frame.kind.is_data and not ingress_of(messages.roots[0])


def _nobody(_feedback: Feedback) -> None:
    """The feedback was given already."""
