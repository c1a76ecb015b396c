"""Values to bytes and back.

Models and dataclasses that carry nothing but their fields are pickled as plain rows and rebuilt without being validated
again (`rows.py`); everything else is pickled as it is. Large buffers (numpy, Arrow) are left out of the bytes and
handed beside them, so they can travel without a copy.

Two picklers write the same. One knows plain containers, texts and numbers only, and does not even ask what to do with
them; where a value has anything else, the other one does what cloudpickle does, and classes that go by value are named.

Unpickling runs code. Bodies come only from processes of the same run, over links that Ray authenticates.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from penguiray.link.classes import class_named, class_referred_to, definition_of, learn, name_of, reference_to
from penguiray.link.garbage import uncollected
from penguiray.link.pickler import Pickler
from penguiray.link.rows import Rows, as_rows, from_rows, has_rows, may_hold_objects

__all__ = ["Body", "BodyTooLarge", "decode", "encode", "size_of"]


class BodyTooLarge(Exception):
    """Encoding was given up, since the body would be larger than allowed."""


@dataclass(slots=True)
class Body:
    """Encoded values."""

    data: bytes
    """Pickle of protocol 5, without the large buffers."""
    buffers: list[memoryview] = field(default_factory=list)
    """Large contiguous buffers in the order in which the pickle wants them; owned by the values they came from."""
    classes: tuple[str, ...] = ()
    """Names of the classes by value that occur; the receiver must know their definitions."""

    @property
    def nbytes(self) -> int:
        """Size of all parts in bytes."""
        return len(self.data) + sum(buffer.nbytes for buffer in self.buffers)

    def definitions(self, known: set[str]) -> tuple[tuple[str, bytes], ...]:
        """Definitions that a receiver lacks; they count as known from here on."""
        if known.issuperset(self.classes):
            return ()
        missing = [name for name in self.classes if name not in known]
        known.update(missing)
        return tuple((name, definition_of(name)) for name in missing)


class _Gauge:
    """A file that counts what is written to it, keeps it if it is to, and refuses what is too much."""

    __slots__ = ("limit", "pieces", "size")

    def __init__(self, limit: int, *, keeps: bool) -> None:
        self.limit = limit
        self.pieces: list[bytes] | None = [] if keeps else None
        self.size = 0

    def write(self, data: Any) -> int:
        size = len(data)  # as in `add`, which this would call for each body
        self.size += size
        if self.size > self.limit:
            raise BodyTooLarge
        if self.pieces is not None:  # a large `bytes` comes as it is and is not copied; what may change is
            self.pieces.append(data if type(data) is bytes else bytes(data))
        return size

    def clear(self) -> None:
        """Forget what was written."""
        self.size = 0
        if self.pieces is not None:
            self.pieces.clear()

    def add(self, nbytes: int) -> None:
        self.size += nbytes
        if self.size > self.limit:
            raise BodyTooLarge


class _Pickler(Pickler):
    """Names the classes that go by value instead of writing their definitions into every body."""

    def __init__(self, file: _Gauge, buffer_callback: Callable[[pickle.PickleBuffer], bool]) -> None:
        super().__init__(file, buffer_callback)
        self.classes: dict[str, None] = {}

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type):
            name = name_of(obj)
            if name is not None:
                self.classes[name] = None
                return class_named, (name,)
        return super().reducer_override(obj)


class _NotPlainError(Exception):
    """A value is no plain container, text or number."""


class _PlainPickler(pickle.Pickler):
    """Refuses what has a class or a function in it; those need somebody who knows how they are to be written."""

    def reducer_override(self, obj: Any) -> Any:
        raise _NotPlainError(type(obj))


_PROTOCOL = 5
_MANY_BYTES = 4_096
"""A body of that size may hold so many objects that the garbage collector would come in between."""
_not_plain: set[type | None] = set()
"""Classes of which a value was not plain when it was looked at; so the next one will not be, either."""


def size_of(value: Any) -> int:
    """Bytes that a value takes, encoded by itself; nothing is kept or copied. Raises what its pickling raises."""
    gauge = _Gauge(sys.maxsize, keeps=False)

    def count(buffer: pickle.PickleBuffer) -> bool:
        gauge.add(buffer.raw().nbytes)
        return False

    _dump([value], gauge, count)
    return gauge.size


def encode(values: list[Any], *, inline_limit: int, limit: int | None = None) -> Body:
    """Encode a list of values.

    Args:
        values: What `decode` will give back, in order.
        inline_limit: Buffers above this many bytes are left out of the data.
        limit: Most bytes of the body. None: no limit.

    Raises:
        BodyTooLarge: It would be larger; no more than that was copied.
        Exception: Whatever a value's own pickling raises; the caller knows whose value it is.
    """
    buffers: list[memoryview] = []
    gauge = _Gauge(sys.maxsize if limit is None else limit, keeps=True)

    def keep_inline(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes <= inline_limit:
            return True
        gauge.add(raw.nbytes)
        buffers.append(raw)
        return False

    classes = _dump(values, gauge, keep_inline)
    return Body(b"".join(gauge.pieces or ()), buffers, tuple(classes))


def _dump(values: list[Any], gauge: _Gauge, buffer_callback: Callable[[pickle.PickleBuffer], bool]) -> dict[str, None]:
    """Pickle values; gives the names of the classes by value in them."""
    kind = type(values[0]) if values else None
    payload, cls = _as_payload(values)
    if kind not in _not_plain:
        try:
            _PlainPickler(gauge, _PROTOCOL).dump(payload)
        except _NotPlainError:
            _not_plain.add(kind)
            gauge.clear()
        else:
            return {} if cls is None else _named(cls, {})
    if cls is not None and not may_hold_objects(cls):
        payload, cls = values, None
    pickler = _Pickler(gauge, buffer_callback)
    pickler.dump(payload)
    return pickler.classes if cls is None else _named(cls, pickler.classes)


def _named(cls: type, classes: dict[str, None]) -> dict[str, None]:
    """The names of classes by value, with that of the rows."""
    name = name_of(cls)
    return classes if name is None else {**classes, name: None}


def decode(
    data: bytes | memoryview, buffers: Iterable[Any] = (), definitions: Iterable[tuple[str, bytes]] = ()
) -> list[Any]:
    """Give back the values of a body.

    Args:
        data: `Body.data`.
        buffers: `Body.buffers`, or read-only views of copies of them; arrays made from them share their memory.
        definitions: Definitions of classes that this process may not know yet.
    """
    for name, definition in definitions:
        learn(name, definition)
    if len(data) < _MANY_BYTES:
        return _from_payload(pickle.loads(data, buffers=buffers))  # noqa: S301 - from a peer of the same run
    with uncollected:
        return _from_payload(pickle.loads(data, buffers=buffers))  # noqa: S301 - as above


def _as_payload(values: list[Any]) -> tuple[list[Any] | tuple[str, Rows], type | None]:
    """What is pickled for values, a tuple if they are rows; and the class that they all have, if it has rows."""
    cls = type(values[0]) if values else None
    if cls is None or not has_rows(cls) or (len(values) > 1 and set(map(type, values)) != {cls}):
        return values, None
    rows = as_rows(cls, values)
    return (values, None) if rows is None else ((reference_to(cls), rows), cls)


def _from_payload(payload: list[Any] | tuple[str, Rows]) -> list[Any]:
    if isinstance(payload, tuple):
        name, rows = payload
        return from_rows(class_referred_to(name), rows)
    return payload
