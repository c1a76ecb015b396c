"""What goes along with calls: one piece of bytes, and large parts beside it.

Ray carries bytes as they are. It encodes every other argument or answer by itself, with a pickler of its own, and that
took an eighth of a call.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from penguiray.link.frame import Feedback
from penguiray.link.order import Place
from penguiray.link.running import RunningCall
from penguiray.link.wire import Bytes, Packed
from penguiray.link.words import joined, parted

__all__ = [
    "Letter",
    "ToldReport",
    "answer_with",
    "feedback_of",
    "frame_in",
    "frame_letter",
    "report_of",
    "told_in",
    "told_letter",
]

Letter = bytes | tuple[bytes, list[Any]]
"""An answer: bytes, and the arrays beside them if there are some."""

ToldReport = tuple[Bytes, Bytes, Sequence[Any]]
"""Header, body and buffers of a report, as they have come."""

_FRAME = struct.Struct("!QBq?")
_NOWHERE = Place(0, 0, -1)
"""Stands for no place."""
_FEEDBACK = struct.Struct("!qddddd")
_LARGE_BYTES = 64 * 1024
"""A body from this size on is an argument of its own: to copy it would take longer."""


def frame_letter(place: Place | None, header: bytes, data: bytes, attachments: Sequence[Any]) -> list[Any]:
    """The arguments of a call that brings a frame."""
    is_beside = len(data) >= _LARGE_BYTES
    head = _FRAME.pack(*(_NOWHERE if place is None else place), is_beside)
    if is_beside:
        return [head + header, data, *attachments]
    return [b"".join((head, *joined(header, data))), *attachments]


def frame_in(letter: bytes, beside: Sequence[Any]) -> tuple[Place | None, Bytes, Bytes, Sequence[Any]]:
    """The place, header, body and attachments of a frame, see `frame_letter`."""
    sender, lane, number, is_beside = _FRAME.unpack_from(letter)
    place = None if number < 0 else Place(sender, lane, number)
    rest = memoryview(letter)[_FRAME.size :]
    if is_beside:
        return place, rest, beside[0], beside[1:]
    header, data = parted(rest, 2)
    return place, header, data, beside


def answer_with(feedback: Feedback, report: Packed | None = None) -> Letter:
    """What a call that brought a frame gives: its feedback, and a report if it waited for one, see `Teller.hold`."""
    says = feedback
    said = _FEEDBACK.pack(says.sequence, says.service_s, says.rest_s, says.wait_s, says.held_s, says.late_s)
    if report is None:
        return said
    header, data, buffers = report
    return _with_arrays(b"".join((said, *joined(header, data))), buffers)


def feedback_of(answer: Future[Any]) -> Feedback:
    """The feedback that a call brought; raises if the receiver is gone."""
    said, _ = _parts_of(answer.result())
    return Feedback(*_FEEDBACK.unpack_from(said))


def report_of(answer: Future[Any]) -> ToldReport | None:
    """The report that a call brought, if it did."""
    said, buffers = _parts_of(answer.result())
    if len(said) == _FEEDBACK.size:
        return None
    header, data = parted(memoryview(said), 2, at=_FEEDBACK.size)
    return header, data, buffers


def told_letter(report: Packed | None, calls: Sequence[RunningCall] | None) -> Letter:
    """What a call that collects news gives: a report if there is one, and the calls under way if it is time."""
    running = b"" if calls is None else pickle.dumps(calls, 5)
    header, data, buffers = report or (b"", b"", [])
    return _with_arrays(b"".join(joined(running, header, data)), buffers)


def told_in(letter: Letter) -> tuple[ToldReport | None, Sequence[RunningCall] | None]:
    """The report and the calls under way, see `told_letter`."""
    told, buffers = _parts_of(letter)
    running, header, data = parted(memoryview(told), 3)
    calls = pickle.loads(running) if running else None  # noqa: S301 - from a replica of the run
    return (header, data, buffers) if header else None, calls


def _with_arrays(letter: bytes, buffers: Sequence[memoryview]) -> Letter:
    """Arrays are what Ray carries without a copy."""
    return (letter, [np.frombuffer(buffer, dtype=np.uint8) for buffer in buffers]) if buffers else letter


def _parts_of(letter: Letter) -> tuple[bytes, list[Any]]:
    return letter if isinstance(letter, tuple) else (letter, [])
