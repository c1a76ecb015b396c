"""Frames and reports as bytes: a header of plain values, a body, and large buffers beside it.

The header decodes without the user's classes, so a body that cannot be decoded still has messages with names.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from penguiray.link.codec import decode, encode
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.message import Messages
from penguiray.link.report import Report

__all__ = ["LostValue", "Packed", "pack_frame", "pack_report", "unpack_frame", "unpack_report", "without_refused"]

Packed = tuple[bytes, bytes, list[memoryview]]
"""Header, body, and buffers above the inline limit."""


class LostValue:
    """Stands for a value that could not be carried, and says why."""

    __slots__ = ("error",)

    def __init__(self, error: CarriedError) -> None:
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return LostValue, (self.error,)


def pack_frame(frame: Frame, known: set[str], *, now: float, inline_limit: int) -> Packed:
    """Encode a frame.

    Args:
        frame: What to send.
        known: Names of the classes that the receiver has definitions of; extended by those that go along.
        now: The sender's clock: deadlines travel as seconds that remain.
        inline_limit: Buffers above this many bytes stay outside the body.

    Raises:
        Exception: Whatever pickling a value raises.
    """
    body = encode(frame.messages.values, inline_limit=inline_limit)
    facts = {root: known_facts.shifted(-now) for root, known_facts in frame.messages.facts.items()}
    header = (
        (frame.link.stage, frame.link.replica, frame.epoch, frame.sequence, int(frame.kind), frame.call),
        frame.messages.roots,
        frame.messages.ids,
        facts,
        body.definitions(known),
    )
    return pickle.dumps(header, 5), body.data, body.buffers


def unpack_frame(header: bytes, data: bytes, buffers: Iterable[Any], *, now: float) -> tuple[Frame, Exception | None]:
    """Decode a frame; where its body cannot be decoded, its values are None and the reason is given."""
    numbers, roots, ids, facts, definitions = pickle.loads(header)  # noqa: S301 - from a peer of the same run
    stage, replica, epoch, sequence, kind, call = numbers
    failure: Exception | None = None
    try:
        values = decode(data, buffers, definitions)
    except Exception as error:  # noqa: BLE001 - unpickling runs user code
        values, failure = [None] * len(ids), error
    here = {root: sent.shifted(now) for root, sent in facts.items()}
    messages = Messages(roots, ids, values, here)
    return Frame(LinkId(stage, replica), epoch, sequence, Kind(kind), messages, call), failure


def without_refused(frame: Frame, inline_limit: int, on_refused: Callable[[int, int, CarriedError], None]) -> Frame:
    """The frame without the messages that cannot be encoded; each of those is told: root, id, and why."""
    messages, kept = frame.messages, []
    for index, value in enumerate(messages.values):
        error = _why_not(value, inline_limit)
        if error is None:
            kept.append(index)
        else:
            on_refused(messages.roots[index], messages.ids[index], error)
    rest = Messages(
        [messages.roots[index] for index in kept],
        [messages.ids[index] for index in kept],
        [messages.values[index] for index in kept],
        messages.facts,
    )
    return Frame(frame.link, frame.epoch, frame.sequence, frame.kind, rest, frame.call)


def pack_report(report: Report, known: set[str], *, inline_limit: int) -> Packed:
    """Encode a report; results that cannot be pickled become `LostValue`s."""
    results, report.results = report.results, []
    try:
        body = encode(results, inline_limit=inline_limit)
    except Exception:  # noqa: BLE001 - pickling runs user code
        body = encode(_carried(results, inline_limit), inline_limit=inline_limit)
    header = (report, len(results), body.definitions(known))
    return pickle.dumps(header, 5), body.data, body.buffers


def unpack_report(header: bytes, data: bytes, buffers: Iterable[Any]) -> Report:
    """Decode a report; results that cannot be decoded become `LostValue`s."""
    report: Report
    report, size, definitions = pickle.loads(header)  # noqa: S301 - from a peer of the same run
    try:
        report.results = decode(data, buffers, definitions)
    except Exception as error:  # noqa: BLE001 - unpickling runs user code
        report.results = [LostValue(CarriedError.of(error))] * size
    return report


def _carried(values: Sequence[Any], inline_limit: int) -> list[Any]:
    return [value if (error := _why_not(value, inline_limit)) is None else LostValue(error) for value in values]


def _why_not(value: Any, inline_limit: int) -> CarriedError | None:
    """Why a value cannot be encoded; None if it can."""
    try:
        encode([value], inline_limit=inline_limit)
    except Exception as error:  # noqa: BLE001 - pickling runs user code
        return CarriedError.of(error)
    return None
