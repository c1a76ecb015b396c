"""Frames and reports as bytes: a header of plain values, a body, and large buffers beside it.

The header decodes without the user's classes, so a body that cannot be decoded still has messages with names.
"""

from __future__ import annotations

import dataclasses
import operator
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from penguiray.errors import MessageTooLarge
from penguiray.link.codec import decode, encode, size_of
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.message import Facts, Messages
from penguiray.link.report import NodeCount, Report

__all__ = [
    "Bytes",
    "LostValue",
    "Packed",
    "Refused",
    "frame_of_what_can_travel",
    "pack_frame",
    "pack_report",
    "sequence_in",
    "too_large",
    "unpack_frame",
    "unpack_report",
]

Bytes = bytes | memoryview
"""A header or a body that has come: what is made of it does not refer to it."""

_KINDS = {kind.value: kind for kind in Kind}

Packed = tuple[bytes, bytes, list[memoryview]]
"""Header, body, and buffers above the inline limit."""


Refused = Callable[[int, int, CarriedError], None]
"""Told of each message that cannot travel: root, id, and why."""


class LostValue:
    """Stands for a value that could not be carried, and says why."""

    __slots__ = ("error", "node")

    def __init__(self, error: CarriedError, node: str) -> None:
        self.error = error
        self.node = node

    def __reduce__(self) -> tuple[Any, ...]:
        return LostValue, (self.error, self.node)


def pack_frame(frame: Frame, known: set[str], *, now: float, inline_limit: int, limit: int | None = None) -> Packed:
    """Encode a frame.

    Args:
        frame: What to send.
        known: Names of the classes that the receiver has definitions of; extended by those that go along.
        now: The sender's clock: deadlines travel as seconds that remain.
        inline_limit: Buffers above this many bytes stay outside the body.
        limit: Most bytes of the body with its buffers. None: no limit.

    Raises:
        BodyTooLarge: There are more.
        Exception: Whatever pickling a value raises.
    """
    body = encode(frame.messages.values, inline_limit=inline_limit, limit=limit)
    messages, (stage, replica) = frame.messages, frame.link
    header = (
        (stage, replica, frame.epoch, frame.sequence, int(frame.kind), frame.call),
        messages.roots,
        messages.ids,
        _shifted(messages.facts, -now),
        messages.hops,
        messages.keys,
        messages.source,
        body.definitions(known),
    )
    return pickle.dumps(header, 5), body.data, body.buffers


def unpack_frame(header: Bytes, data: Bytes, buffers: Iterable[Any], *, now: float) -> tuple[Frame, Exception | None]:
    """Decode a frame; where its body cannot be decoded, its values are None and the reason is given."""
    numbers, roots, ids, facts, hops, keys, source, definitions = pickle.loads(header)  # noqa: S301 - from a peer of the same run
    stage, replica, epoch, sequence, kind, call = numbers
    failure: Exception | None = None
    try:
        values = decode(data, buffers, definitions)
    except Exception as error:  # noqa: BLE001 - unpickling runs user code
        values, failure = [None] * len(ids), error
    messages = Messages(roots, ids, values, _shifted(facts, now), hops, keys, source)
    return Frame(LinkId(stage, replica), epoch, sequence, _KINDS[kind], messages, call), failure


def _shifted(facts: Mapping[int, Facts], seconds: float) -> Mapping[int, Facts]:
    return {root: one.shifted(seconds) for root, one in facts.items()} if facts else facts


def sequence_in(header: Bytes) -> int:
    """Number of a packed frame."""
    numbers, *_ = pickle.loads(header)  # noqa: S301 - from a peer of the same run
    _, _, _, sequence, _, _ = numbers
    return int(sequence)


def pack_report(report: Report, known: set[str], *, inline_limit: int, node: str, limit: int | None = None) -> Packed:
    """Encode a report; results that cannot be pickled, or exceed the limit, become `LostValue`s of the node."""
    results, report.results = report.results, []
    try:
        body = encode(results, inline_limit=inline_limit, limit=limit)
    except Exception:  # noqa: BLE001 - pickling runs user code; or they are too large together, if not each of them
        body = encode(_carried(results, limit, node), inline_limit=inline_limit)
    counters = {name: _COUNTS(count) for name, count in report.counters.items()}
    header = (_FIELDS(report), counters, len(results), body.definitions(known))
    return pickle.dumps(header, 5), body.data, body.buffers


_PLAIN_FIELDS = [field.name for field in dataclasses.fields(Report) if field.name not in {"results", "counters"}]
_FIELDS = operator.attrgetter(*_PLAIN_FIELDS)
_COUNTS = operator.attrgetter(*(field.name for field in dataclasses.fields(NodeCount)))


def unpack_report(header: Bytes, data: Bytes, buffers: Iterable[Any], *, node: str) -> Report:
    """Decode a report; results that cannot be decoded become `LostValue`s of the node."""
    fields, counters, size, definitions = pickle.loads(header)  # noqa: S301 - from a peer of the same run
    report = Report(**dict(zip(_PLAIN_FIELDS, fields, strict=True)))
    report.counters = {name: NodeCount(*counts) for name, counts in counters.items()}
    try:
        report.results = decode(data, buffers, definitions)
    except Exception as error:  # noqa: BLE001 - unpickling runs user code
        report.results = [LostValue(CarriedError.of(error), node)] * size
    return report


def carry_small(report: Report, limit: int | None, *, node: str) -> None:
    """Do to results that go by reference what `pack_report` does to the others; nothing without a limit."""
    if limit is not None:
        report.results = _carried(report.results, limit, node)


def _carried(results: Sequence[Any], limit: int | None, node: str) -> list[Any]:
    return [result if (error := _why_not(result, limit)) is None else LostValue(error, node) for result in results]


def frame_of_what_can_travel(frame: Frame, limit: int | None, on_refused: Refused) -> Frame:
    """The same frame without the messages that cannot be pickled or are larger than the limit."""
    messages, kept = frame.messages, []
    for index, value in enumerate(messages.values):
        error = _why_not(value, limit)
        if error is None:
            kept.append(index)
        else:
            on_refused(messages.roots[index], messages.ids[index], error)
    return frame._replace(messages=messages.pick(kept))


def too_large(size: int, limit: int | None) -> MessageTooLarge | None:
    """Why a message of so many bytes may not travel; None if it may."""
    if limit is None or size <= limit:
        return None
    return MessageTooLarge(
        f"a message of {size / 2**20:,.1f} MiB is larger than the {limit / 2**20:,.1f} MiB that may travel at once "
        f"(FlowOptions.max_message_bytes; if unset, the smallest object store of the cluster): send a path or a key to "
        f"the data, or cut it into several messages",
        size_bytes=size,
        limit_bytes=limit,
    )


def _why_not(value: Any, limit: int | None) -> CarriedError | None:
    """Why a value cannot travel; None if it can."""
    try:
        error: Exception | None = too_large(size_of(value), limit)
    except Exception as unpickled:  # noqa: BLE001 - pickling runs user code
        error = unpickled
    return None if error is None else CarriedError.of(error)
